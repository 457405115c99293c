-- Rejected rows of uploads that are worked on, by their first code, the commonest first. Read only.
select codes[1], count(*)
from commerce.staged_rows
where upload_id = any(%(upload_ids)s) and verdict = 'rejected'
group by 1
order by 2 desc, 1;
