-- Says that a step of the run is alive, as long as this connection is open. Shared: a run may have several. May be re-run.
select pg_advisory_lock_shared(7422, hashtext(%(execution_id)s))
