-- Each month is the sum of its days. Result: one row. Read only.
with days as (
    select extract(year from summary_date)::integer as summary_year, extract(month from summary_date)::integer as summary_month,
        sum(total_revenue) as revenue, sum(total_invoices) as invoices
    from fullbay.daily_summary group by 1, 2
), compared as (
    select summary_year, summary_month, days.revenue as expected, month.total_revenue as actual,
        (days.revenue, days.invoices) is distinct from (month.total_revenue, month.total_invoices::bigint) as wrong
    from days full join fullbay.monthly_summary as month using (summary_year, summary_month)
)
select count(*), count(*) filter (where wrong), sum(expected)::text, sum(actual)::text,
    (array_agg(summary_year || '-' || lpad(summary_month::text, 2, '0') order by summary_year, summary_month)
        filter (where wrong))[1:10]
from compared
