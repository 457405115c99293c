-- The rejected rows of an upload with their first error; those of an earlier attempt go. Grain: row_number. May be re-run.
delete from commerce.validation_errors where upload_id = %(upload_id)s;
insert into commerce.validation_errors (
    upload_id, vendor_id, row_number, vendor_product_id, error_type, error_field, error_message, original_data
)
select
    upload_id, %(vendor_id)s, row_number,
    left(coalesce(vendor_product_id, original_data ->> 'vendor_product_id'), 100),
    codes[1], left(fields[1], 100), messages[1], original_data
from commerce.staged_rows
where upload_id = %(upload_id)s and verdict = 'rejected'
order by row_number
