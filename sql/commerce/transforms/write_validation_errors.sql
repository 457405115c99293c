-- The rejected rows of an upload with their first error; those of an earlier attempt go. Grain: row_number. May be re-run. Before
-- it: join_by_hash.
delete from commerce.validation_errors where upload_id = %(upload_id)s;
insert into commerce.validation_errors (
    upload_id, vendor_id, row_number, vendor_product_id, error_type, error_field, error_message, original_data
)
select
    %(upload_id)s, %(vendor_id)s, rejected.row_number,
    left(coalesce(rejected.vendor_product_id, whole.original_data ->> 'vendor_product_id'), 100),
    rejected.code, left(rejected.field, 100), rejected.message, whole.original_data
from (
    select row_number, vendor_product_id, codes[1] as code, fields[1] as field, messages[1] as message, cells, original_data
    from commerce.staged_rows
    where upload_id = %(upload_id)s and verdict = 'rejected'
    union all
    select s.row_number, s.vendor_product_id, o.codes[1], o.fields[1], o.messages[1], s.cells, s.original_data
    from commerce.row_outcomes as o
    join commerce.staged_rows as s on s.upload_id = o.upload_id and s.row_number = o.row_number
    where o.upload_id = %(upload_id)s and o.verdict = 'rejected'
) as rejected
cross join (
    select array(select jsonb_array_elements_text(metadata -> 'header')) as header
    from commerce.upload_history
    where upload_id = %(upload_id)s
) as file
cross join lateral (
    select coalesce(rejected.original_data, jsonb_object(file.header, string_to_array(rejected.cells, chr(31)))) as original_data
) as whole
order by rejected.row_number
