-- Header facts of the documents just stored. Key: fullbay_invoice_id. May be re-run.
insert into fullbay.invoice_headers as header (
    fullbay_invoice_id, raw_data_id, shop_key, invoice_date, service_order_id, total_amount, subtotal_amount,
    tax_amount, labor_amount, parts_amount, balance, payload_hash, payload_bytes, content_hash, reconciled,
    missing_since, updated_at
)
select
    incoming.fullbay_invoice_id, raw.id, incoming.shop_key, incoming.invoice_date, incoming.service_order_id,
    incoming.total_amount, incoming.subtotal_amount, incoming.tax_amount, incoming.labor_amount, incoming.parts_amount,
    incoming.balance, incoming.payload_hash, incoming.payload_bytes, incoming.content_hash, null, null, current_timestamp
from incoming_headers as incoming
join fullbay.fullbay_raw_data as raw using (fullbay_invoice_id)
order by incoming.fullbay_invoice_id
on conflict (fullbay_invoice_id) do update set
    shop_key = excluded.shop_key,
    invoice_date = excluded.invoice_date,
    service_order_id = excluded.service_order_id,
    total_amount = excluded.total_amount,
    subtotal_amount = excluded.subtotal_amount,
    tax_amount = excluded.tax_amount,
    labor_amount = excluded.labor_amount,
    parts_amount = excluded.parts_amount,
    balance = excluded.balance,
    payload_hash = excluded.payload_hash,
    payload_bytes = excluded.payload_bytes,
    content_hash = excluded.content_hash,
    reconciled = null,
    missing_since = null,
    updated_at = current_timestamp
