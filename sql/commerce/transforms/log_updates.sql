-- What an upload changed, column by column. Before it: plan_upload. Once per upload, in the transaction of update_products.
insert into commerce.product_changes (
    upload_id, product_id, vendor_id, vendor_product_id, kind, before, after, upload_id_before
)
select %(upload_id)s, product_id, %(vendor_id)s, vendor_product_id, 'update', before, after, upload_id_before
from catalogue_plan
where verdict = 'updated'
order by row_number
