-- What is to become of each valid row of an upload, in the temporary table catalogue_plan. Grain and key: row_number. Before it:
-- lock_vendor, lock_categories. May be re-run. A column that the file lacks (`absent`) is compared with itself; a unit left empty is
-- the default. What the rules let through and the table would refuse is rejected here, so that one row never stops an upload.
-- Narrow on purpose: what differs is looked up again for the rows that differ (log_updates, show_planned_changes).
drop table if exists pg_temp.catalogue_plan;
create temporary table catalogue_plan on commit drop as
select
    s.row_number,
    s.vendor_product_id,
    s.sku,
    p.product_id,  -- null: not in the catalogue
    p.sku as sku_before,
    case
        when problem.field is not null then 'rejected'
        when p.product_id is null then 'accepted'
        when (
            p.product_name, p.category, p.subcategory, p.description, p.sku,
            p.brand, p.price, p.compare_at_price, p.stock_quantity, p.unit,
            p.weight_kg, p.dimensions_cm, p.image_url
        ) is distinct from (
            i.product_name, i.category, i.subcategory, i.description, i.sku,
            i.brand, i.price, i.compare_at_price, i.stock_quantity, i.unit,
            i.weight_kg, i.dimensions_cm, i.image_url
        ) then 'updated'
        else 'unchanged'
    end as verdict,
    case problem.field when 'category' then 'INVALID_CATEGORY' else case when problem.field is not null then 'VALIDATION_ERROR' end end
        as code,
    problem.field,
    case
        when problem.field = 'category'
            then 'The category "' || coalesce(s.category, '') || '" is not one that products can have now.'
        when problem.field is not null then 'The catalogue cannot take the ' || problem.field || ' of this row.'
    end as message,
    case
        when problem.field = 'category' then 'Choose one of the active categories.'
        when problem.field is not null then 'Correct the ' || problem.field || ' and upload the row again.'
    end as fix,
    case when p.price <> i.price then abs(i.price / p.price - 1)::double precision end as price_change,
    p.stock_quantity > 0 and i.stock_quantity = 0 as zeroed
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
        case
            when s.vendor_product_id is null then 'vendor_product_id'
            when i.product_name is null then 'product_name'
            when i.sku is null then 'sku'
            when i.price is null or i.price <= 0 or i.price = 'NaN' then 'price'
            when i.stock_quantity is null or i.stock_quantity < 0 then 'stock_quantity'
            when i.compare_at_price < i.price or i.compare_at_price = 'NaN' then 'compare_at_price'
            when i.weight_kg <= 0 or i.weight_kg = 'NaN' then 'weight_kg'
            when c.category_id is null and p.category is distinct from s.category or s.category is null then 'category'
        end as field
) as problem
where s.upload_id = %(upload_id)s and s.verdict = 'valid'
