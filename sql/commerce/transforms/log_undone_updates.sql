-- What an undo replaces, read before it does so: also what was changed by hand since the upload.
insert into commerce.product_changes (
    upload_id, product_id, vendor_id, vendor_product_id, kind, before, after, upload_id_before
)
select
    %(upload_id)s, p.product_id, p.vendor_id, p.vendor_product_id, 'undo',
    (select jsonb_object_agg(name, whole.product -> name) from jsonb_object_keys(u.before) as name),
    u.before, p.upload_id
from undo_plan as u
join commerce.products as p on p.product_id = u.product_id
cross join lateral (select to_jsonb(p) as product offset 0) as whole
where u.kind = 'update'
