-- Categories whose parent is no category. Result: one row: categories, wrong ones, first examples. Read only.
select count(*), count(*) filter (where parent.category_name is null and child.parent_category is not null),
    (array_agg(child.category_name order by child.category_name)
        filter (where parent.category_name is null and child.parent_category is not null))[1:10]
from commerce.product_categories as child
left join commerce.product_categories as parent on parent.category_name = child.parent_category
