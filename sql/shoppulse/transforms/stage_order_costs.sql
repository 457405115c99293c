-- The rows of one delivery, typed; row_key is the order_id. Gone with the transaction.
create temporary table staged (
    row_number bigint not null,
    row_key varchar(20) not null,
    cost decimal(10, 2) not null
) on commit drop;
