-- Each date's revenue is the sum of its invoices' totals, each counted once: header against summary, two separate paths.
-- An invoice whose new version waits for its lines counts with the version the lines show. Result: one row. Read only.
with shown as (
    select header.invoice_date as day, header.total_amount as amount
    from fullbay.invoice_headers as header
    join fullbay.fullbay_raw_data as raw on raw.id = header.raw_data_id and raw.processed
    where header.invoice_date between %(first)s and %(last)s
    union all
    select waiting.invoice_date, waiting.invoice_total
    from (
        select distinct on (line.fullbay_invoice_id) line.invoice_date, line.invoice_total
        from fullbay.fullbay_raw_data as raw
        join fullbay.fullbay_line_items as line using (fullbay_invoice_id)
        where not raw.processed and line.invoice_date between %(first)s and %(last)s
    ) as waiting
), stated as (
    select day, sum(amount) as amount from shown group by day
), compared as (
    select coalesce(stated.day, summary.summary_date) as day, stated.amount, summary.total_revenue,
        stated.amount is distinct from summary.total_revenue as wrong
    from stated
    full join (
        select summary_date, total_revenue from fullbay.daily_summary where summary_date between %(first)s and %(last)s
    ) as summary on summary.summary_date = stated.day
)
select count(*), count(*) filter (where wrong), sum(amount)::text, sum(total_revenue)::text,
    (array_agg(day::text order by day) filter (where wrong))[1:10]
from compared
