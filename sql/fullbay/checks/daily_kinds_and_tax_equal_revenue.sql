-- Kind revenues plus tax are the revenue, on each date whose invoices all reconcile. Result: one row. Read only.
with tax as (
    select invoice_date as day, sum(tax_amount) as amount
    from fullbay.fullbay_line_items where invoice_date between %(first)s and %(last)s group by 1
), compared as (
    select summary.summary_date as day, summary.total_revenue,
        total_parts_revenue + total_labor_revenue + total_supplies_revenue + total_misc_revenue + total_sublet_revenue
            + coalesce(tax.amount, 0) as kinds
    from fullbay.daily_summary as summary
    left join tax on tax.day = summary.summary_date
    where summary.summary_date between %(first)s and %(last)s
        and not exists (
            select from fullbay.invoice_headers as header
            where header.invoice_date = summary.summary_date and header.reconciled is not true
        )
)
select count(*), count(*) filter (where kinds <> total_revenue), sum(total_revenue)::text, sum(kinds)::text,
    (array_agg(day::text order by day) filter (where kinds <> total_revenue))[1:10]
from compared
