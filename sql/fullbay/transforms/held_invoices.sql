-- Invoices in the quarantine, oldest first; all open ones without ids. Grain: one row per held document. Read only.
-- newer: a later version of the invoice has been stored since this one was seen.
select
    held.id, held.fullbay_invoice_id, held.shop_key, held.invoice_date, held.stage, held.reason, held.path, held.value,
    held.message, held.payload, held.times_seen,
    raw.ingestion_timestamp > held.last_seen_at and held.stage <> 'FLATTEN' as newer
from fullbay.invoice_quarantine as held
left join fullbay.fullbay_raw_data as raw using (fullbay_invoice_id)
where held.resolved_at is null
    and (%(ids)s::bigint[] is null or held.id = any(%(ids)s))
    and (%(invoice_id)s::text is null or held.fullbay_invoice_id = %(invoice_id)s)
order by held.id
