-- Names that a product may be given.
select category_name from commerce.product_categories where is_active order by 1;
