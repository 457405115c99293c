-- Invoices that this run received with the key of a shop are stored for that shop, and not for another one whose key is read as
-- well. Result: one row. Read only.
with compared as (
    select seen.fullbay_invoice_id, seen.shop_key, header.shop_key as kept_by, seen.shop_key <> header.shop_key as wrong
    from fullbay.ingestion_run_invoices as seen
    join fullbay.invoice_headers as header using (fullbay_invoice_id)
    where seen.execution_id = %(execution_id)s and seen.outcome <> 'VANISHED'
)
select count(*), count(*) filter (where wrong), count(*)::text, count(*) filter (where not wrong)::text,
    (array_agg(fullbay_invoice_id || ' of ' || kept_by || ' came for ' || shop_key || ' too' order by fullbay_invoice_id)
        filter (where wrong))[1:10]
from compared
