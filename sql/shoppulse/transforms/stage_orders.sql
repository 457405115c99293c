-- The rows of one delivery, typed; row_key is the order_id. Gone with the transaction.
create temporary table staged (
    row_number bigint not null,
    row_key varchar(20) not null,
    order_date date not null,
    store_id varchar(10),
    region varchar(10),
    channel varchar(20),
    order_status varchar(20),
    items_count integer,
    gross_revenue decimal(10, 2),
    discount_amount decimal(10, 2),
    net_revenue decimal(10, 2),
    currency varchar(3)
) on commit drop;
