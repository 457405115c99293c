-- How many staged rows wait for the catalogue, are in it, and were rejected. Result: one row. Read only.
select
    case when h.metadata ? 'applied' then 0 else staged.valid end,
    case when h.metadata ? 'applied' then staged.valid - refused.rows else 0 end + staged.settled,
    staged.rejected + refused.rows
from (
    select
        count(*) filter (where verdict = 'valid') as valid,
        count(*) filter (where verdict in ('accepted', 'updated', 'unchanged')) as settled,
        count(*) filter (where verdict = 'rejected') as rejected
    from commerce.staged_rows
    where upload_id = %(upload_id)s
) as staged
cross join (
    select count(*) as rows from commerce.row_outcomes where upload_id = %(upload_id)s and verdict = 'rejected'
) as refused
join commerce.upload_history as h on h.upload_id = %(upload_id)s
