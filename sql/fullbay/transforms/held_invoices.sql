-- Invoices in the quarantine without their bytes, oldest first; all open ones without ids. Grain: one row per held
-- document. Read only.
-- newer: a later version of the invoice has been stored, or is held itself, since this one was seen.
select
    held.id, held.fullbay_invoice_id, held.shop_key, held.invoice_date, held.stage, held.reason, held.path, held.value,
    held.message, held.times_seen,
    coalesce(raw.ingestion_timestamp > held.last_seen_at and held.stage <> 'FLATTEN', false) or exists (
        select from fullbay.invoice_quarantine as later
        where later.fullbay_invoice_id = held.fullbay_invoice_id and later.id > held.id and later.resolved_at is null
    ) as newer
from fullbay.invoice_quarantine as held
left join fullbay.fullbay_raw_data as raw using (fullbay_invoice_id)
where held.resolved_at is null
    and (%(ids)s::bigint[] is null or held.id = any(%(ids)s))
    and (%(invoice_id)s::text is null or held.fullbay_invoice_id = %(invoice_id)s)
order by held.id
