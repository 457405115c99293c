-- What becomes of the rows of an upload, those that were settled before included. Result: accepted, updated, unchanged, rejected;
-- prices that move by more than `price_change`; products that lose all their stock; products to insert; products to update.
select
    planned.accepted + settled.accepted,
    planned.updated + settled.updated,
    planned.unchanged + settled.unchanged,
    planned.rejected + settled.rejected,
    planned.moved,
    planned.zeroed,
    planned.accepted,
    planned.updated
from (
    select
        count(*) filter (where verdict = 'accepted') as accepted,
        count(*) filter (where verdict = 'updated') as updated,
        count(*) filter (where verdict = 'unchanged') as unchanged,
        count(*) filter (where verdict = 'rejected') as rejected,
        count(*) filter (where verdict = 'updated' and price_change > %(price_change)s) as moved,
        count(*) filter (where verdict = 'updated' and zeroed) as zeroed
    from catalogue_plan
) as planned
cross join (
    select
        count(*) filter (where verdict = 'accepted') as accepted,
        count(*) filter (where verdict = 'updated') as updated,
        count(*) filter (where verdict = 'unchanged') as unchanged,
        count(*) filter (where verdict = 'rejected') as rejected
    from commerce.staged_rows
    where upload_id = %(upload_id)s and verdict <> 'valid'
) as settled
