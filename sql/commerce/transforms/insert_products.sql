-- The products that an upload brings, and their entries in product_changes; what they were at first is what the row says, until an
-- update is logged. Before it: plan_upload and, for SKUs that other products give up, update_products. Counts the products. Not to be
-- re-run: a second time breaks a unique key.
with added as (
    insert into commerce.products (
        vendor_id, vendor_product_id,
        product_name, category, subcategory, description, sku, brand,
        price, compare_at_price, stock_quantity, unit, weight_kg, dimensions_cm,
        image_url,
        upload_id
    )
    select
        %(vendor_id)s, s.vendor_product_id,
        s.product_name, s.category, s.subcategory, s.description, s.sku, s.brand,
        s.price, s.compare_at_price, s.stock_quantity, coalesce(s.unit, 'piece'), s.weight_kg, s.dimensions_cm,
        s.image_url,
        s.upload_id
    from catalogue_plan as plan
    join commerce.staged_rows as s on s.upload_id = %(upload_id)s and s.row_number = plan.row_number
    where plan.verdict = 'accepted'
    order by plan.row_number
    returning product_id, vendor_product_id
)
insert into commerce.product_changes (upload_id, product_id, vendor_id, vendor_product_id, kind)
select %(upload_id)s, product_id, %(vendor_id)s, vendor_product_id, 'insert'
from added
