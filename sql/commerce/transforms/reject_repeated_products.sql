-- Of valid rows with one vendor product id, the first counts. The rules see to it before; here it keeps a statement from failing.
update catalogue_plan as plan
set verdict = 'rejected',
    code = 'DUPLICATE_VENDOR_PRODUCT_ID',
    field = 'vendor_product_id',
    message = 'The vendor product id "' || plan.vendor_product_id || '" is in row ' || repeated.first_row || ' already.',
    fix = 'Keep one row for each vendor product id.'
from (
    select vendor_product_id, min(row_number) as first_row
    from catalogue_plan
    where verdict <> 'rejected'
    group by vendor_product_id
    having count(*) > 1
) as repeated
where plan.vendor_product_id = repeated.vendor_product_id and plan.row_number > repeated.first_row and plan.verdict <> 'rejected'
