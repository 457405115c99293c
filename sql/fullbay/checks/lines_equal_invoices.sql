-- Raw = lines: each stored document of the dates has lines, and lines plus tax are its total to the cent, unless it is
-- marked as not reconciling; none waits for its lines except those in the quarantine. Result: one row. Read only.
with built as (
    select fullbay_invoice_id, sum(line_total_price + coalesce(tax_amount, 0)) as amount
    from fullbay.fullbay_line_items
    where invoice_date between %(first)s and %(last)s
    group by fullbay_invoice_id
), compared as (
    select header.fullbay_invoice_id, header.total_amount, built.amount, header.reconciled,
        case
            when not raw.processed then not exists (
                select from fullbay.invoice_quarantine as held
                where held.fullbay_invoice_id = header.fullbay_invoice_id and held.resolved_at is null
            )
            else built.amount is null or (header.reconciled and built.amount <> header.total_amount)
        end as wrong
    from fullbay.invoice_headers as header
    join fullbay.fullbay_raw_data as raw on raw.id = header.raw_data_id
    left join built on built.fullbay_invoice_id = header.fullbay_invoice_id
    where header.invoice_date between %(first)s and %(last)s
)
select count(*), count(*) filter (where wrong), sum(total_amount) filter (where reconciled)::text,
    sum(amount) filter (where reconciled)::text,
    (array_agg(fullbay_invoice_id order by fullbay_invoice_id) filter (where wrong))[1:10]
from compared
