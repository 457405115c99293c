-- Uploads that came after a held one and changed products which it would change, too. Result: upload_id, number of products. Read only.
select c.upload_id, count(distinct p.product_id)
from commerce.upload_history as h
join commerce.staged_rows as s on s.upload_id = h.upload_id and s.verdict = 'valid'
join commerce.products as p on p.vendor_id = h.vendor_id and p.vendor_product_id = s.vendor_product_id
join commerce.product_changes as c on c.product_id = p.product_id and c.kind in ('insert', 'update')
join commerce.upload_history as newer
    on newer.upload_id = c.upload_id and newer.upload_timestamp > h.upload_timestamp
    and not coalesce(newer.metadata ? 'undone_at', false)
where h.upload_id = %(upload_id)s and h.status = 'processing' and h.metadata ? 'held' and not h.metadata ? 'released_at'
group by c.upload_id
order by 2 desc, 1
