-- A SKU is another product's, whoever's, unless that product gives it up in this upload. A row that is rejected gives up nothing, so
-- the rows that count on it are rejected too, and so on. Whose product it is, only its own vendor is told.
with recursive blocked as (
    select claim.row_number
    from catalogue_plan as claim
    where claim.holder_id is not null
        and claim.verdict <> 'rejected'
        and not exists (
            select
            from catalogue_plan as mover
            where mover.product_id = claim.holder_id and mover.verdict = 'updated' and mover.sku <> mover.sku_before
        )
    union
    select claim.row_number
    from blocked
    join catalogue_plan as mover on mover.row_number = blocked.row_number
    join catalogue_plan as claim on claim.holder_id = mover.product_id and claim.verdict <> 'rejected'
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
join catalogue_plan as claim on claim.row_number = blocked.row_number
join commerce.products as holder on holder.product_id = claim.holder_id
where plan.row_number = blocked.row_number
