-- The rows of one delivery, typed; row_key is the order_id. Gone with the transaction.
create temporary table staged (
    row_number bigint not null,
    row_key varchar(20) not null,
    warehouse varchar(20),
    carrier varchar(20),
    promised_delivery_date date,
    actual_delivery_date date,
    fulfillment_status varchar(20),
    sla_met boolean,
    days_to_ship integer
) on commit drop;
