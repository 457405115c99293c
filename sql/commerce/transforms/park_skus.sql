-- Products whose SKU goes to another one in this upload get a name that no file can hold until they have their new one.
update commerce.products as p
set sku = chr(1) || p.product_id
from catalogue_claims as claim
join catalogue_plan as plan on plan.row_number = claim.row_number and plan.verdict <> 'rejected'
where p.product_id = claim.holder_id
