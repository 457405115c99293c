-- Schema of the Fullbay location: raw invoices, line items, summaries, logs.
create schema if not exists fullbay;
revoke all on schema fullbay from public;
grant usage on schema fullbay to fullbay_writer, analyst;
alter default privileges in schema fullbay grant select, insert, update, delete on tables to fullbay_writer;
alter default privileges in schema fullbay grant usage on sequences to fullbay_writer;
