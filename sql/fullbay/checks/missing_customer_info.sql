-- Lines without customer id or title. Result: one row. Read only.
select count(*), count(*) filter (where customer_id is null or customer_title is null), '0', count(*) filter (where customer_id is null or customer_title is null)::text,
    (array_agg(distinct fullbay_invoice_id) filter (where customer_id is null or customer_title is null))[1:10]
from fullbay.fullbay_line_items
where invoice_date between %(first)s and %(last)s
