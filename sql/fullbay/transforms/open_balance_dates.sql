-- Dates with a partition, before the regular re-reading, that hold an invoice with an open balance.
-- Grain: one row per date. Read only.
select distinct invoice_date
from fullbay.invoice_headers
where balance <> 0 and invoice_date >= %(from)s and invoice_date < %(before)s and missing_since is null
order by invoice_date
