-- Products that an upload wrote without a record of what it changed.
with wrong as (
    select p.vendor_id || '/' || p.vendor_product_id as product
    from commerce.products p
    where p.upload_id is not null
      and not exists (select from commerce.product_changes c where c.product_id = p.product_id and c.upload_id = p.upload_id)
)
select (select count(*) from commerce.products), (select count(*) from wrong),
       (select array_agg(product) from (select product from wrong limit 10) w);
