-- Products that get an old SKU back give up theirs first: two may have swapped.
update commerce.products as p
set sku = chr(1) || p.product_id
from undo_plan as u
where p.product_id = u.product_id and u.kind = 'update' and u.before ? 'sku'
