-- Rejected rows of uploads that are worked on, by their first code, the commonest first: the rules' and the catalogue's. Read only.
select code, count(*)
from (
    select codes[1] as code from commerce.staged_rows where upload_id = any(%(upload_ids)s) and verdict = 'rejected'
    union all
    select codes[1] from commerce.row_outcomes where upload_id = any(%(upload_ids)s) and verdict = 'rejected'
) as rejected
group by code
order by count(*) desc, code;
