-- What this run saw. Key: run, invoice and shop. Seen again (in a later window, by a step that is repeated) it is the same
-- row: what the run has stored stays NEW or CHANGED, with the version it shows now. May be re-run.
insert into fullbay.ingestion_run_invoices as seen (
    execution_id, fullbay_invoice_id, shop_key, invoice_date, outcome, content_hash, total_amount, previous_total
)
select %(execution_id)s, now_seen.*
from unnest(
    %(ids)s::text[], %(shops)s::text[], %(dates)s::date[], %(outcomes)s::text[], %(hashes)s::text[], %(totals)s::numeric[],
    %(previous)s::numeric[]
) as now_seen (fullbay_invoice_id, shop_key, invoice_date, outcome, content_hash, total_amount, previous_total)
on conflict (execution_id, fullbay_invoice_id, shop_key) do update set
    outcome = case when seen.outcome in ('NEW', 'CHANGED') then seen.outcome else excluded.outcome end,
    invoice_date = case when excluded.content_hash is null then seen.invoice_date else excluded.invoice_date end,
    content_hash = coalesce(excluded.content_hash, seen.content_hash),
    total_amount = coalesce(excluded.total_amount, seen.total_amount),
    seen_at = current_timestamp
