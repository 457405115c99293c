-- Some products of the catalogue that these uploads wrote last. Read only.
select c.vendor_id, c.vendor_product_id, c.product_name, c.category, c.sku, c.price::text, c.stock_quantity
from commerce.products as p
join commerce.product_catalog as c on c.product_id = p.product_id
where p.upload_id = any(%(upload_ids)s)
order by p.product_id
limit %(most)s;
