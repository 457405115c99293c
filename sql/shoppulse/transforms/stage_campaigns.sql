-- The rows of one delivery, typed; row_key is the campaign_id. Gone with the transaction.
create temporary table staged (
    row_number bigint not null,
    row_key varchar(20) not null,
    date date not null,
    channel varchar(20),
    spend decimal(10, 2),
    impressions integer,
    clicks integer,
    conversions integer,
    revenue_attributed decimal(10, 2)
) on commit drop;
