-- One row per product category; a category without parent is a top one. Grain and key: category_name.
create table commerce.product_categories (
    category_id serial primary key,
    category_name varchar(100) not null unique,
    parent_category varchar(100),
    is_active boolean default true,
    description text,
    created_at timestamp default current_timestamp
);
create index idx_product_categories_parent on commerce.product_categories (parent_category);

-- The 20 categories of the seed: the whitelist that uploads are validated against.
insert into commerce.product_categories (category_name, parent_category) values
    ('Electronics', null),
    ('Computer Accessories', 'Electronics'),
    ('Audio Equipment', 'Electronics'),
    ('Mobile Accessories', 'Electronics'),
    ('Computer Storage', 'Electronics'),
    ('Clothing', null),
    ('Men''s Clothing', 'Clothing'),
    ('Women''s Clothing', 'Clothing'),
    ('Accessories', 'Clothing'),
    ('Home & Garden', null),
    ('Kitchen', 'Home & Garden'),
    ('Bedroom', 'Home & Garden'),
    ('Bathroom', 'Home & Garden'),
    ('Living Room', 'Home & Garden'),
    ('Garden', 'Home & Garden'),
    ('Sports & Outdoors', null),
    ('Books', null),
    ('Toys & Games', null),
    ('Health & Beauty', null),
    ('Food & Beverage', null);
