-- What an upload changes, column by column, read before it is written. Before it: plan_upload. Once per upload, in the transaction
-- of update_products, which comes after it.
insert into commerce.product_changes (
    upload_id, product_id, vendor_id, vendor_product_id, kind, before, after, upload_id_before
)
select
    %(upload_id)s, p.product_id, p.vendor_id, p.vendor_product_id, 'update',
    case when p.product_name is distinct from i.product_name
        then jsonb_build_object('product_name', p.product_name) else '{}' end
    || case when p.category is distinct from i.category
        then jsonb_build_object('category', p.category) else '{}' end
    || case when p.subcategory is distinct from i.subcategory
        then jsonb_build_object('subcategory', p.subcategory) else '{}' end
    || case when p.description is distinct from i.description
        then jsonb_build_object('description', p.description) else '{}' end
    || case when p.sku is distinct from i.sku
        then jsonb_build_object('sku', p.sku) else '{}' end
    || case when p.brand is distinct from i.brand
        then jsonb_build_object('brand', p.brand) else '{}' end
    || case when p.price is distinct from i.price
        then jsonb_build_object('price', p.price) else '{}' end
    || case when p.compare_at_price is distinct from i.compare_at_price
        then jsonb_build_object('compare_at_price', p.compare_at_price) else '{}' end
    || case when p.stock_quantity is distinct from i.stock_quantity
        then jsonb_build_object('stock_quantity', p.stock_quantity) else '{}' end
    || case when p.unit is distinct from i.unit
        then jsonb_build_object('unit', p.unit) else '{}' end
    || case when p.weight_kg is distinct from i.weight_kg
        then jsonb_build_object('weight_kg', p.weight_kg) else '{}' end
    || case when p.dimensions_cm is distinct from i.dimensions_cm
        then jsonb_build_object('dimensions_cm', p.dimensions_cm) else '{}' end
    || case when p.image_url is distinct from i.image_url
        then jsonb_build_object('image_url', p.image_url) else '{}' end,
    case when p.product_name is distinct from i.product_name
        then jsonb_build_object('product_name', i.product_name) else '{}' end
    || case when p.category is distinct from i.category
        then jsonb_build_object('category', i.category) else '{}' end
    || case when p.subcategory is distinct from i.subcategory
        then jsonb_build_object('subcategory', i.subcategory) else '{}' end
    || case when p.description is distinct from i.description
        then jsonb_build_object('description', i.description) else '{}' end
    || case when p.sku is distinct from i.sku
        then jsonb_build_object('sku', i.sku) else '{}' end
    || case when p.brand is distinct from i.brand
        then jsonb_build_object('brand', i.brand) else '{}' end
    || case when p.price is distinct from i.price
        then jsonb_build_object('price', i.price) else '{}' end
    || case when p.compare_at_price is distinct from i.compare_at_price
        then jsonb_build_object('compare_at_price', i.compare_at_price) else '{}' end
    || case when p.stock_quantity is distinct from i.stock_quantity
        then jsonb_build_object('stock_quantity', i.stock_quantity) else '{}' end
    || case when p.unit is distinct from i.unit
        then jsonb_build_object('unit', i.unit) else '{}' end
    || case when p.weight_kg is distinct from i.weight_kg
        then jsonb_build_object('weight_kg', i.weight_kg) else '{}' end
    || case when p.dimensions_cm is distinct from i.dimensions_cm
        then jsonb_build_object('dimensions_cm', i.dimensions_cm) else '{}' end
    || case when p.image_url is distinct from i.image_url
        then jsonb_build_object('image_url', i.image_url) else '{}' end,
    p.upload_id
from catalogue_plan as plan
join commerce.staged_rows as s on s.upload_id = %(upload_id)s and s.row_number = plan.row_number
join commerce.products as p on p.product_id = plan.product_id
cross join lateral (
    select
        s.product_name,
        s.category,
        case when 'subcategory' = any (%(absent)s::text[]) then p.subcategory else s.subcategory end as subcategory,
        case when 'description' = any (%(absent)s::text[]) then p.description else s.description end as description,
        s.sku,
        case when 'brand' = any (%(absent)s::text[]) then p.brand else s.brand end as brand,
        s.price,
        case when 'compare_at_price' = any (%(absent)s::text[]) then p.compare_at_price else s.compare_at_price end as compare_at_price,
        s.stock_quantity,
        case when 'unit' = any (%(absent)s::text[]) then p.unit else coalesce(s.unit, 'piece') end as unit,
        case when 'weight_kg' = any (%(absent)s::text[]) then p.weight_kg else s.weight_kg end as weight_kg,
        case when 'dimensions_cm' = any (%(absent)s::text[]) then p.dimensions_cm else s.dimensions_cm end as dimensions_cm,
        case when 'image_url' = any (%(absent)s::text[]) then p.image_url else s.image_url end as image_url
) as i
where plan.verdict = 'updated'
order by plan.row_number
