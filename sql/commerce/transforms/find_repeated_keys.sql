-- Whether two valid rows of an upload have one vendor product id, and whether two have one SKU: by hash, so a yes may be wrong and a
-- no is not. The rules see to it before, and grouping a million texts takes three times as long. Result: two booleans. Read only.
select
    exists (
        select from catalogue_plan where verdict <> 'rejected' group by hashtextextended(vendor_product_id, 0) having count(*) > 1
    ),
    exists (select from catalogue_plan where verdict <> 'rejected' group by hashtextextended(sku, 0) having count(*) > 1)
