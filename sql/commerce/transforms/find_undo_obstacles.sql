-- Products that cannot go back to what they were before an upload. Result: how many, vendor_product_id, reason. Read only.
with obstacles as (
    select u.vendor_product_id, 'was changed later by ' || min(later.upload_id) as reason
    from undo_plan as u
    join commerce.product_changes as later on later.product_id = u.product_id and later.change_id > u.change_id
    left join commerce.upload_history as h on h.upload_id = later.upload_id
    where later.kind in ('insert', 'update') and not coalesce(h.metadata ? 'undone_at', false)
    group by u.vendor_product_id
    union all
    select u.vendor_product_id, 'is not in the catalogue any more'
    from undo_plan as u
    left join commerce.products as p on p.product_id = u.product_id
    where u.kind = 'update' and p.product_id is null
    union all
    select u.vendor_product_id, 'had the SKU "' || p.sku || '", which another product has now'
    from undo_plan as u
    join commerce.products as p on p.sku = u.before ->> 'sku' and p.product_id <> u.product_id
    left join undo_plan as own on own.product_id = p.product_id
    where u.kind = 'update' and (own.kind is null or own.kind = 'update' and not own.before ? 'sku')
    union all
    select u.vendor_product_id, 'had the category "' || (u.before ->> 'category') || '", which is not active now'
    from undo_plan as u
    join commerce.products as p on p.product_id = u.product_id
    left join commerce.product_categories as c on c.category_name = u.before ->> 'category' and c.is_active
    where u.before ? 'category' and p.category <> u.before ->> 'category' and c.category_id is null
)
select count(*) over (), vendor_product_id, reason from obstacles order by vendor_product_id, reason limit %(limit)s
