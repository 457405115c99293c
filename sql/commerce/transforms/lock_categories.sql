-- Categories stay as active as they are until the transaction ends: the plan relies on it. Result: none worth reading.
select category_id from commerce.product_categories order by category_id for share
