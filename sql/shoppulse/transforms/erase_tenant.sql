-- All of a tenant but tombstones and the links of the audit trail: (table_name, rows removed or emptied). Re-runnable.
select e.table_name, e.removed from shoppulse.erase_tenant(%(tenant)s) e
