-- Schema of the run book: leases, catalogues, ledgers. The migrator itself makes it first, for its version table.
create schema if not exists ops;
revoke all on schema ops from public;
comment on schema ops is 'Run book: leases, catalogues, migration ledgers';
