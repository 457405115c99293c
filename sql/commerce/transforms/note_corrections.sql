-- Rejected rows of earlier uploads whose product came again with this one and was taken. Key: error_id; may be re-run.
insert into commerce.corrected_errors (error_id, vendor_id, upload_id)
select distinct e.error_id, e.vendor_id, s.upload_id
from commerce.validation_errors as e
join commerce.upload_rows as s on s.vendor_product_id = e.vendor_product_id
where e.vendor_id = %(vendor_id)s
    and e.upload_id <> %(upload_id)s
    and s.upload_id = %(upload_id)s
    and s.verdict in ('accepted', 'updated', 'unchanged')
    and not exists (select from commerce.corrected_errors as c where c.error_id = e.error_id)
on conflict (error_id) do nothing;
