-- Tables that every location needs to work safely: leases, the catalogue of source columns, and the ledger of functions and views.

-- One row per write in progress. lease_id is the fencing token. A row alone proves nothing about the holder being alive: the holder
-- keeps the session advisory lock (7421, lease_id::int) on its own connection, which the server drops with a killed process.
create table ops.write_leases (
    lease_id bigint generated always as identity primary key,
    dataset text not null,
    covers daterange not null,
    holder text not null,
    execution_id text,
    acquired_at timestamptz not null default current_timestamp
);
create index idx_write_leases_dataset on ops.write_leases (dataset);

-- One row per file under functions/ or views/: applied again when its sha256 differs.
create table ops.schema_repeatables (
    path text primary key,
    sha256 char(64) not null,
    applied_at timestamptz not null default current_timestamp
);

-- One row per column of a source system, in the source's own order; mirrors map by name, never by this position.
create table ops.source_columns (
    source_system text not null,
    table_name text not null,
    position integer not null check (position > 0),
    column_name text not null,
    data_type text not null,
    relation text,
    description text,
    primary key (source_system, table_name, position),
    unique (source_system, table_name, column_name)
);

grant usage on schema ops to fullbay_writer, odoo_apn_writer, commerce_writer;
grant select, insert, update, delete on ops.write_leases to fullbay_writer, odoo_apn_writer, commerce_writer;
grant select, insert, update, delete on ops.source_columns to odoo_apn_writer;
-- ops is the Odoo/APN location's run book: later tables there are its own. The ledgers made before this line stay the owner's.
alter default privileges in schema ops grant select, insert, update, delete on tables to odoo_apn_writer;
alter default privileges in schema ops grant usage on sequences to odoo_apn_writer;
