-- For the rest of the transaction, who exports and erases tenants.
set local role shoppulse_maintenance
