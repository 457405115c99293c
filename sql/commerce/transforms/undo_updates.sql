-- The values before an upload come back to the products that it changed; columns that it left alone stay. Before it: plan_undo,
-- undo_park_skus. The upload that wrote the product before is named again, unless its record is gone. Counts the products.
update commerce.products as p
set product_name = was.product_name,
    category = was.category,
    subcategory = was.subcategory,
    description = was.description,
    sku = was.sku,
    brand = was.brand,
    price = was.price,
    compare_at_price = was.compare_at_price,
    stock_quantity = was.stock_quantity,
    unit = was.unit,
    weight_kg = was.weight_kg,
    dimensions_cm = was.dimensions_cm,
    image_url = was.image_url,
    upload_id = h.upload_id
from undo_plan as u
join commerce.products as b on b.product_id = u.product_id
cross join lateral jsonb_populate_record(b, u.before) as was
left join commerce.upload_history as h on h.upload_id = u.upload_id_before
where u.kind = 'update' and p.product_id = u.product_id
