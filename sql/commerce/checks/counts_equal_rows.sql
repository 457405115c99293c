-- Finished uploads whose counts are not what was written: rejected rows in validation_errors, and rows of the file.
with finished as (
    select h.upload_id, h.total_records, h.valid_records, h.error_records, (h.metadata ->> 'expected_records')::integer as expected,
           (select count(*) from commerce.validation_errors e where e.upload_id = h.upload_id) as errors
    from commerce.upload_history h
    where h.status <> 'processing'
),
wrong as (
    select upload_id from finished where errors <> error_records or coalesce(expected, total_records) <> total_records
)
select (select count(*) from finished), (select count(*) from wrong), (select array_agg(upload_id) from (select upload_id from wrong limit 10) w);
