-- The rows of one delivery that are not taken; row_key is null where there is none. Gone with the transaction.
create temporary table refused (
    row_number bigint not null,
    row_key text,
    code text not null,
    column_name text,
    message text not null,
    original jsonb not null
) on commit drop;
create temporary table put_aside (row_number bigint primary key, row_key text, code text not null) on commit drop;
create temporary table newer (row_key text not null) on commit drop;
