-- Which other product has the SKU that a row asks for. After lock_skus, so that it is still so when the row is written.
update catalogue_plan as plan
set holder_id = p.product_id
from commerce.products as p
where p.sku = plan.sku
    and plan.verdict in ('accepted', 'updated')
    and plan.sku is distinct from plan.sku_before
    and p.product_id is distinct from plan.product_id
