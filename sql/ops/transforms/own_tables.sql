-- The tables of the Odoo and APN location: those that its login may vacuum.
select n.nspname::text, c.relname::text
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname in ('raw', 'core', 'search', 'ops') and pg_has_role(current_user, c.relowner, 'usage')
order by 1, 2;
