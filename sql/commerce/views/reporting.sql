-- The three published views. Read only.

-- One row per vendor, also without products and uploads. Each side is added up before it is joined: joined first, every upload was
-- counted once for each product.
create or replace view commerce.vendor_summary as
select
    v.vendor_id,
    v.vendor_name,
    v.email,
    v.status,
    coalesce(p.total_products, 0) as total_products,
    coalesce(p.active_products, 0) as active_products,
    coalesce(u.total_uploads, 0) as total_uploads,
    u.last_upload_date,
    coalesce(u.total_errors, 0) as total_errors,
    v.created_at
from commerce.vendors as v
left join (
    select vendor_id, count(*) as total_products, count(*) filter (where status = 'active') as active_products
    from commerce.products
    group by vendor_id
) as p on p.vendor_id = v.vendor_id
left join (
    select
        vendor_id,
        count(*) as total_uploads,
        max(upload_timestamp) as last_upload_date,
        sum(error_records) as total_errors
    from commerce.upload_history
    group by vendor_id
) as u on u.vendor_id = v.vendor_id;
grant select on commerce.vendor_summary to analyst;

-- One row per upload, the newest first. The rate is null while there are no counts.
create or replace view commerce.recent_uploads as
select
    u.upload_id,
    u.vendor_id,
    v.vendor_name,
    u.file_name,
    u.total_records,
    u.valid_records,
    u.error_records,
    u.status,
    u.upload_timestamp,
    u.processing_duration_seconds,
    round(u.valid_records::numeric / nullif(u.total_records, 0) * 100, 2) as success_rate_percent
from commerce.upload_history as u
join commerce.vendors as v on v.vendor_id = u.vendor_id
order by u.upload_timestamp desc, u.upload_id desc;
grant select on commerce.recent_uploads to analyst;

-- One row per active product, whatever the status of its vendor. A product without stock is out_of_stock, so not in here.
create or replace view commerce.product_catalog as
select
    p.product_id,
    p.vendor_id,
    v.vendor_name,
    p.vendor_product_id,
    p.product_name,
    p.category,
    p.subcategory,
    p.sku,
    p.brand,
    p.price,
    p.compare_at_price,
    p.stock_quantity,
    p.status,
    p.created_at
from commerce.products as p
join commerce.vendors as v on v.vendor_id = p.vendor_id
where p.status = 'active';
grant select on commerce.product_catalog to analyst;
