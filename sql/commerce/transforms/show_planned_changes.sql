-- The first products that an upload would change, and how. Result: row_number, vendor_product_id, changes. Read only.
select row_number, vendor_product_id, changes
from catalogue_plan
where verdict = 'updated'
order by row_number
limit %(limit)s
