-- Lines whose price is zero, of those that should have one: labor without billed hours (quality control) is free on purpose.
-- Result: one row. Read only.
select count(*), count(*) filter (where line_total_price = 0), '0', count(*) filter (where line_total_price = 0)::text,
    (array_agg(distinct fullbay_invoice_id) filter (where line_total_price = 0))[1:10]
from fullbay.fullbay_line_items
where invoice_date between %(first)s and %(last)s
    and (line_item_type <> 'LABOR' or labor_hours <> 0 or line_total_price <> 0)
