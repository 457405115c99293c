-- The products that an upload changes, and only those. Key: product_id. Before it: plan_upload, park_skus. Counts what it wrote.
update commerce.products as p
set product_name = s.product_name,
    category = s.category,
    subcategory = case when 'subcategory' = any (%(absent)s::text[]) then p.subcategory else s.subcategory end,
    description = case when 'description' = any (%(absent)s::text[]) then p.description else s.description end,
    sku = s.sku,
    brand = case when 'brand' = any (%(absent)s::text[]) then p.brand else s.brand end,
    price = s.price,
    compare_at_price = case when 'compare_at_price' = any (%(absent)s::text[]) then p.compare_at_price else s.compare_at_price end,
    stock_quantity = s.stock_quantity,
    unit = case when 'unit' = any (%(absent)s::text[]) then p.unit else coalesce(s.unit, 'piece') end,
    weight_kg = case when 'weight_kg' = any (%(absent)s::text[]) then p.weight_kg else s.weight_kg end,
    dimensions_cm = case when 'dimensions_cm' = any (%(absent)s::text[]) then p.dimensions_cm else s.dimensions_cm end,
    image_url = case when 'image_url' = any (%(absent)s::text[]) then p.image_url else s.image_url end,
    upload_id = %(upload_id)s
from catalogue_plan as plan
join commerce.staged_rows as s on s.upload_id = %(upload_id)s and s.row_number = plan.row_number
where plan.verdict = 'updated' and p.product_id = plan.product_id
