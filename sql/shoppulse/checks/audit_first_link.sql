-- When a tenant's chain began: (chained_at as text, whether that is longer ago than the hours). No row: it has no link. Read-only.
select
    to_char(c.chained_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    c.chained_at < (clock_timestamp() at time zone 'UTC') - %(hours)s * interval '1 hour'
from shoppulse.audit_chain c
where c.tenant_id = %(tenant)s
order by c.seq
limit 1
