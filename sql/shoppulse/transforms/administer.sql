-- For the rest of the transaction, who exports and erases tenants, within one tenant.
select shoppulse.administer(%(tenant)s);
set local role shoppulse_maintenance
