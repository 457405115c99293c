-- Each date's revenue is the sum of its invoices' totals, each counted once: header against summary, two separate paths.
-- An invoice whose new version waits for its lines counts with the version the lines show. Result: one row. Read only.
with stated as (
    select shown_date as day, sum(shown_total) as amount
    from fullbay.invoice_headers
    where shown_date between %(first)s and %(last)s
    group by shown_date
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
