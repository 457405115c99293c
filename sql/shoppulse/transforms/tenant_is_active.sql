-- Whether the tenant is active now. Asked after his rows were inserted: their foreign key holds his row until the transaction's end, so an
-- erasure has either ended before, and is seen here, or waits and takes these rows too.
select coalesce((select is_active from shoppulse.tenants where tenant_id = %(tenant_id)s), false);
