-- What an upload changed, in the temporary table undo_plan. Grain and key: product_id. After lock_vendor and lock_skus. May be re-run.
drop table if exists pg_temp.undo_plan;
create temporary table undo_plan on commit drop as
select change_id, product_id, vendor_product_id, kind, before, upload_id_before
from commerce.product_changes
where upload_id = %(upload_id)s and kind in ('insert', 'update');
analyze undo_plan
