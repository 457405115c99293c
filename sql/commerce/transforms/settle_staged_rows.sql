-- The catalogue's verdict on each valid row. Key: upload_id, row_number. After it no row of the upload is valid, so applying it again
-- finds nothing to do.
update commerce.staged_rows as s
set verdict = plan.verdict,
    changes = case when plan.verdict = 'updated' then plan.changes end,
    codes = case when plan.code is null then s.codes else array[plan.code] end,
    fields = case when plan.code is null then s.fields else array[plan.field] end,
    messages = case when plan.code is null then s.messages else array[plan.message] end,
    fixes = case when plan.code is null then s.fixes else array[plan.fix] end
from catalogue_plan as plan
where s.upload_id = %(upload_id)s and s.row_number = plan.row_number
