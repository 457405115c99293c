-- Labor lines without billed hours. Result: one row. Read only.
select count(*), count(*) filter (where labor_hours is null), '0', count(*) filter (where labor_hours is null)::text,
    (array_agg(distinct fullbay_invoice_id) filter (where labor_hours is null))[1:10]
from fullbay.fullbay_line_items
where invoice_date between %(first)s and %(last)s and line_item_type = 'LABOR'
