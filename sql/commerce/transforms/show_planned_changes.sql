-- The first products that an upload would change, and how. Result: row_number, vendor_product_id, changes. Read only.
with first as (
    select row_number, product_id from catalogue_plan where verdict = 'updated' order by row_number limit %(limit)s
)
select
    s.row_number, s.vendor_product_id,
    case when p.product_name is distinct from i.product_name
        then jsonb_build_object('product_name', jsonb_build_array(p.product_name::text, i.product_name::text)) else '{}' end
    || case when p.category is distinct from i.category
        then jsonb_build_object('category', jsonb_build_array(p.category::text, i.category::text)) else '{}' end
    || case when p.subcategory is distinct from i.subcategory
        then jsonb_build_object('subcategory', jsonb_build_array(p.subcategory::text, i.subcategory::text)) else '{}' end
    || case when p.description is distinct from i.description
        then jsonb_build_object('description', jsonb_build_array(p.description::text, i.description::text)) else '{}' end
    || case when p.sku is distinct from i.sku
        then jsonb_build_object('sku', jsonb_build_array(p.sku::text, i.sku::text)) else '{}' end
    || case when p.brand is distinct from i.brand
        then jsonb_build_object('brand', jsonb_build_array(p.brand::text, i.brand::text)) else '{}' end
    || case when p.price is distinct from i.price
        then jsonb_build_object('price', jsonb_build_array(p.price::text, i.price::text)) else '{}' end
    || case when p.compare_at_price is distinct from i.compare_at_price
        then jsonb_build_object('compare_at_price', jsonb_build_array(p.compare_at_price::text, i.compare_at_price::text)) else '{}' end
    || case when p.stock_quantity is distinct from i.stock_quantity
        then jsonb_build_object('stock_quantity', jsonb_build_array(p.stock_quantity::text, i.stock_quantity::text)) else '{}' end
    || case when p.unit is distinct from i.unit
        then jsonb_build_object('unit', jsonb_build_array(p.unit::text, i.unit::text)) else '{}' end
    || case when p.weight_kg is distinct from i.weight_kg
        then jsonb_build_object('weight_kg', jsonb_build_array(p.weight_kg::text, i.weight_kg::text)) else '{}' end
    || case when p.dimensions_cm is distinct from i.dimensions_cm
        then jsonb_build_object('dimensions_cm', jsonb_build_array(p.dimensions_cm::text, i.dimensions_cm::text)) else '{}' end
    || case when p.image_url is distinct from i.image_url
        then jsonb_build_object('image_url', jsonb_build_array(p.image_url::text, i.image_url::text)) else '{}' end
from first
join commerce.staged_rows as s on s.upload_id = %(upload_id)s and s.row_number = first.row_number
join commerce.products as p on p.product_id = first.product_id
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
order by s.row_number
