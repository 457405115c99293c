-- Products whose SKU goes to another one in this upload get a name that no file can hold until they have their new one.
update commerce.products as p
set sku = chr(1) || p.product_id
from catalogue_plan as plan
where p.product_id = plan.holder_id and plan.verdict <> 'rejected'
