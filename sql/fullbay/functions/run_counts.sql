-- What became of the invoices that a run received, by its ledger. Grain: one row, zeros for a run that received none. Read only.
-- VANISHED rows are no invoices received. An invoice in two windows of one run counts twice, as it was delivered twice.
create or replace function fullbay.run_counts(p_execution_id varchar(255))
returns table (processed bigint, inserted bigint, updated bigint, unchanged bigint, quarantined bigint)
language sql stable as $$
    select
        count(*) filter (where outcome <> 'VANISHED'),
        count(*) filter (where outcome = 'NEW'),
        count(*) filter (where outcome = 'CHANGED'),
        count(*) filter (where outcome = 'UNCHANGED'),
        count(*) filter (where outcome = 'QUARANTINED')
    from fullbay.ingestion_run_invoices where execution_id = p_execution_id
$$;
