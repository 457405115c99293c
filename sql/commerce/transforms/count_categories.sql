-- Categories and how many of them are active. Result: one row. Read only.
select count(*), count(*) filter (where is_active) from commerce.product_categories
