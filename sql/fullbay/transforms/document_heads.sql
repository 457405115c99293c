-- What stored documents are, without the documents. Grain: one row per invoice, in order of id. Read only.
select id, fullbay_invoice_id, shop_key, invoice_date, content_hash
from fullbay.fullbay_raw_data
where id = any(%(ids)s)
order by id
