-- Lines without VIN or make. Result: one row. Read only.
select count(*), count(*) filter (where unit_vin is null or unit_make is null), '0', count(*) filter (where unit_vin is null or unit_make is null)::text,
    (array_agg(distinct fullbay_invoice_id) filter (where unit_vin is null or unit_make is null))[1:10]
from fullbay.fullbay_line_items
where invoice_date between %(first)s and %(last)s
