-- The catalogue's verdict on the valid rows of an upload, the commonest one left out: that and the counts are noted at the upload,
-- which is applied then. Key: upload_id, row_number. Once per upload.
insert into commerce.row_outcomes (upload_id, row_number, verdict, codes, fields, messages, fixes)
select
    %(upload_id)s, row_number, verdict,
    case when code is not null then array[code] end,
    case when code is not null then array[field] end,
    case when code is not null then array[message] end,
    case when code is not null then array[fix] end
from catalogue_plan
where verdict <> %(commonest)s
order by row_number;
update commerce.upload_history
set metadata = coalesce(metadata, '{}') || jsonb_build_object(
    'applied', jsonb_build_object('commonest', %(commonest)s::text, 'counts', %(counts)s::integer[])
)
where upload_id = %(upload_id)s
