-- A SKU is another product's, whoever's, unless that product gives it up in this upload. A row that is rejected gives up nothing, so
-- the rows that count on it are rejected too, and so on. Whose product it is, only its own vendor is told.
with recursive blocked as (
    select row_number, product_id from catalogue_claims where not given_up
    union
    select claim.row_number, claim.product_id
    from blocked
    join catalogue_claims as claim on claim.holder_id = blocked.product_id
)
update catalogue_plan as plan
set verdict = 'rejected',
    code = 'DUPLICATE_SKU',
    field = 'sku',
    message = case
        when holder.vendor_id = %(vendor_id)s
            then 'The SKU "' || plan.sku || '" is the one of your product "' || holder.vendor_product_id || '".'
        else 'The SKU "' || plan.sku || '" is the one of another vendor''s product.'
    end,
    fix = 'Give the product a SKU of its own.'
from blocked
join catalogue_claims as claim on claim.row_number = blocked.row_number
join commerce.products as holder on holder.product_id = claim.holder_id
where plan.row_number = blocked.row_number
