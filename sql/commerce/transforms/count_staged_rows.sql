-- How many staged rows wait for the catalogue, are in it, and were rejected. Result: one row. Read only.
select
    count(*) filter (where verdict = 'valid'),
    count(*) filter (where verdict in ('accepted', 'updated', 'unchanged')),
    count(*) filter (where verdict = 'rejected')
from commerce.staged_rows
where upload_id = %(upload_id)s
