-- Whether the upload gives a product a SKU that it did not have. Result: one boolean. Read only.
select exists (
    select from catalogue_plan where verdict in ('accepted', 'updated') and sku is distinct from sku_before
)
