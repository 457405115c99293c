-- Part lines without the shop's part number. Result: one row. Read only.
select count(*), count(*) filter (where shop_part_number is null), '0', count(*) filter (where shop_part_number is null)::text,
    (array_agg(distinct fullbay_invoice_id) filter (where shop_part_number is null))[1:10]
from fullbay.fullbay_line_items
where invoice_date between %(first)s and %(last)s and line_item_type = 'PART'
