-- The products that an upload brought leave the catalogue; what they were at the end is kept in product_changes. Counts them.
with removed as (
    delete from commerce.products as p
    using undo_plan as u
    where u.kind = 'insert' and p.product_id = u.product_id
    returning p.*
)
insert into commerce.product_changes (
    upload_id, product_id, vendor_id, vendor_product_id, kind, before, upload_id_before
)
select %(upload_id)s, product_id, vendor_id, vendor_product_id, 'undo', to_jsonb(removed), upload_id
from removed
