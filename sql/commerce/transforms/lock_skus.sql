-- One transaction at a time gives products SKUs that they did not have, over all vendors. A SKU is unique for the platform: two
-- uploads that name the same ones in different order would wait for each other. After lock_vendor, always.
select pg_advisory_xact_lock(7423, 0)
