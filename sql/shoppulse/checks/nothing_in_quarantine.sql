-- Rows of the last week that are in quarantine and not settled. Result: rows quarantined, unsettled ones, first examples.
select count(*), count(*) filter (where resolved_at is null),
       (array_agg(tenant_id || ' ' || coalesce(row_key, 'row ' || row_number) || ' ' || code order by quarantine_id)
           filter (where resolved_at is null))[1:10]
from shoppulse.quarantined_rows
where table_name = %(table_name)s and quarantined_at > current_timestamp - interval '7 days';
