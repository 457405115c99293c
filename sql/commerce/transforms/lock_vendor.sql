-- One upload of a vendor at a time, until the transaction ends. 7421 is the class of the write leases.
select pg_advisory_xact_lock(7424, hashtext(%(vendor_id)s))
