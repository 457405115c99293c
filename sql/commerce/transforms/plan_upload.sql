-- What is to become of each valid row of an upload, in the temporary table catalogue_plan. Grain and key: row_number. Before it:
-- lock_vendor, lock_categories. May be re-run. A column that the file lacks (`absent`) is compared with itself; a unit left empty is
-- the default. What the rules let through and the table would refuse is rejected here, so that one row never stops an upload.
drop table if exists pg_temp.catalogue_plan;
create temporary table catalogue_plan on commit drop as
select
    s.row_number,
    s.vendor_product_id,
    s.sku,
    p.product_id,  -- null: not in the catalogue
    p.sku as sku_before,
    p.upload_id as upload_id_before,
    null::bigint as holder_id,  -- the product that has the SKU now
    case
        when problem.code is not null then 'rejected'
        when p.product_id is null then 'accepted'
        when differs.something then 'updated'
        else 'unchanged'
    end as verdict,
    problem.code,
    problem.field,
    problem.message,
    problem.fix,
    abs(i.price / p.price - 1)::double precision as price_change,
    p.stock_quantity > 0 and i.stock_quantity = 0 as zeroed,
    case
        when differs.something then
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
                then jsonb_build_object('image_url', p.image_url) else '{}' end
    end as before,
    case
        when differs.something then
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
                then jsonb_build_object('image_url', i.image_url) else '{}' end
    end as after,
    case
        when differs.something then
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
    end as changes
from commerce.staged_rows as s
left join commerce.products as p on p.vendor_id = %(vendor_id)s and p.vendor_product_id = s.vendor_product_id
left join commerce.product_categories as c on c.category_name = s.category and c.is_active
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
cross join lateral (
    select
        p.product_id is not null
        and (
            p.product_name, p.category, p.subcategory, p.description, p.sku,
            p.brand, p.price, p.compare_at_price, p.stock_quantity, p.unit,
            p.weight_kg, p.dimensions_cm, p.image_url
        ) is distinct from (
            i.product_name, i.category, i.subcategory, i.description, i.sku,
            i.brand, i.price, i.compare_at_price, i.stock_quantity, i.unit,
            i.weight_kg, i.dimensions_cm, i.image_url
        ) as something
) as differs
left join lateral (
    select
        'VALIDATION_ERROR' as code,
        broken.field,
        'The catalogue cannot take the ' || broken.field || ' of this row.' as message,
        'Correct the ' || broken.field || ' and upload the row again.' as fix
    from (
        select
            case
                when s.vendor_product_id is null then 'vendor_product_id'
                when i.product_name is null then 'product_name'
                when i.sku is null then 'sku'
                when i.price is null or i.price <= 0 or i.price = 'NaN' then 'price'
                when i.stock_quantity is null or i.stock_quantity < 0 then 'stock_quantity'
                when i.compare_at_price < i.price or i.compare_at_price = 'NaN' then 'compare_at_price'
                when i.weight_kg <= 0 or i.weight_kg = 'NaN' then 'weight_kg'
            end as field
    ) as broken
    where broken.field is not null
    union all
    select
        'INVALID_CATEGORY',
        'category',
        'The category "' || coalesce(s.category, '') || '" is not one that products can have now.',
        'Choose one of the active categories.'
    where c.category_id is null and p.category is distinct from s.category or s.category is null
    limit 1
) as problem on true
where s.upload_id = %(upload_id)s and s.verdict = 'valid'
