-- The two duplicate-check functions of the seed ("placeholder" there), doing what it announces.

-- Whether the invoice is known, and with a hash whether it is known with that very content and was not left in error; always exactly
-- one row. Without a hash the published meaning holds: known = duplicate. Inlinable: "from seen, lateral
-- check_invoice_already_processed(seen.id, seen.hash)" becomes one join, however many invoices are asked for.
create or replace function fullbay.check_invoice_already_processed(
    p_invoice_id varchar(50), p_content_hash char(64) default null
) returns table (is_duplicate boolean, last_processed_at timestamptz, processing_count integer, skip_reason text)
language sql stable as $$
    select
        t.id is not null
            and (p_content_hash is null or coalesce(t.last_content_hash = p_content_hash and t.status <> 'ERROR', false)),
        t.last_processed_at,
        coalesce(t.processing_count, 0),
        t.skip_reason
    from (values (1)) as always_one_row (n)
    left join fullbay.processed_invoices_tracker as t on t.fullbay_invoice_id = p_invoice_id
$$;

-- Counts one more processing of each invoice and keeps its outcome; each id once. A null hash or run keeps the stored one. Returns the
-- tracker rows' ids (null beyond the range of the published return type, integer). One statement for a batch: called invoice by
-- invoice it took twice the time.
create or replace function fullbay.mark_invoices_processed(
    p_invoice_ids text[], p_status varchar(50), p_skip_reason text, p_content_hashes text[], p_execution_id varchar(255)
) returns setof integer
language sql as $$
    insert into fullbay.processed_invoices_tracker as t (
        fullbay_invoice_id, processing_count, status, skip_reason, last_content_hash, last_execution_id
    )
    select marked.invoice_id, 1, coalesce(p_status, 'PROCESSED'), p_skip_reason, marked.content_hash, p_execution_id
    from unnest(p_invoice_ids, p_content_hashes) as marked (invoice_id, content_hash)
    order by marked.invoice_id
    on conflict (fullbay_invoice_id) do update set
        last_processed_at = current_timestamp,
        processing_count = coalesce(t.processing_count, 0) + 1,
        status = excluded.status,
        skip_reason = excluded.skip_reason,
        last_content_hash = coalesce(excluded.last_content_hash, t.last_content_hash),
        last_execution_id = coalesce(excluded.last_execution_id, t.last_execution_id)
    returning case when id <= 2147483647 then id::integer end
$$;

-- The same for one invoice, as published.
create or replace function fullbay.mark_invoice_processed(
    p_invoice_id varchar(50), p_status varchar(50) default 'PROCESSED', p_skip_reason text default null,
    p_content_hash char(64) default null, p_execution_id varchar(255) default null
) returns integer
language sql as $$
    select fullbay.mark_invoices_processed(array[p_invoice_id], p_status, p_skip_reason, array[p_content_hash], p_execution_id)
$$;
