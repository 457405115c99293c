-- What differs for a vendor from the defaults; no row when nothing does. Read only.
select locale, duplicates, max_rows, max_bytes, hold_prices_share::float8, hold_price_change::float8, hold_stock_share::float8,
       hold_minimum_products
from commerce.vendor_settings
where vendor_id = %(vendor_id)s;
