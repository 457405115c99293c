-- Of valid rows with one SKU, the first counts. The rules see to it before; here it keeps a statement from failing.
update catalogue_plan as plan
set verdict = 'rejected',
    code = 'DUPLICATE_SKU',
    field = 'sku',
    message = 'The SKU "' || plan.sku || '" is in row ' || repeated.first_row || ' already.',
    fix = 'Keep one row for each SKU.'
from (
    select sku, min(row_number) as first_row
    from catalogue_plan
    where verdict <> 'rejected'
    group by sku
    having count(*) > 1
) as repeated
where plan.sku = repeated.sku and plan.row_number > repeated.first_row and plan.verdict <> 'rejected'
