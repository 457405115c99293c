-- The first rows of an upload that the rules or the catalogue reject, and why. Result: row_number, codes, messages, fixes. Read only;
-- after plan_upload.
select row_number, codes, messages, fixes
from (
    select row_number, codes, messages, fixes
    from commerce.staged_rows
    where upload_id = %(upload_id)s and verdict = 'rejected'
    union all
    select row_number, array[code], array[message], array[fix]
    from catalogue_plan
    where verdict = 'rejected'
) as every
order by row_number
limit %(limit)s
