-- The codes of the rejected rows of an upload, the rules' and the catalogue's. Result: code, rows. Read only.
select code, count(*)
from (
    select code from catalogue_plan where verdict = 'rejected'
    union all
    select codes[1] from commerce.staged_rows where upload_id = %(upload_id)s and verdict = 'rejected'
) as every
group by code
order by count(*) desc, code
