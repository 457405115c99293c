-- The vendor's products, and those that he has in stock. Result: one row. Read only.
select count(*), count(*) filter (where stock_quantity > 0) from commerce.products where vendor_id = %(vendor_id)s
