-- What is stored of the invoices a page brought. Grain: one row per known invoice. Read only.
-- is_duplicate: the stored content has been processed completely, so the same content again is nothing new.
-- is_held: its lines could not be built and it stands in the quarantine, so the same content again is nothing new either.
select
    header.fullbay_invoice_id,
    header.payload_hash,
    header.content_hash,
    header.invoice_date,
    header.shop_key,
    header.service_order_id,
    header.total_amount,
    header.missing_since is not null as was_missing,
    raw.processed,
    tracked.is_duplicate,
    not raw.processed and exists (
        select from fullbay.invoice_quarantine as held
        where held.fullbay_invoice_id = header.fullbay_invoice_id and held.stage = 'FLATTEN' and held.resolved_at is null
    ) as is_held
from unnest(%(ids)s::text[]) as asked (invoice_id)
join fullbay.invoice_headers as header on header.fullbay_invoice_id = asked.invoice_id
join fullbay.fullbay_raw_data as raw on raw.id = header.raw_data_id
cross join lateral fullbay.check_invoice_already_processed(header.fullbay_invoice_id, header.content_hash) as tracked
