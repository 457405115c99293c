-- What set-up is verified by: tables, valid indexes with their columns, enabled triggers, row security. One row each: kind, table, name,
-- detail. Reads the catalogue only.
select 'table' as kind, c.relname::text as table_name, c.relname::text as name,
       case when c.relrowsecurity and c.relforcerowsecurity then 'forced' else 'open' end as detail
from pg_catalog.pg_class c
where c.relnamespace = 'shoppulse'::regnamespace and c.relkind in ('r', 'p')
union all
select 'index', t.relname, c.relname,
       (select string_agg(a.attname, ', ' order by k.place)
        from unnest(i.indkey::int2[]) with ordinality k (attnum, place)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum)
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class t on t.oid = i.indrelid
where t.relnamespace = 'shoppulse'::regnamespace and i.indisvalid
union all
select 'trigger', c.relname, g.tgname, p.proname
from pg_catalog.pg_trigger g
join pg_catalog.pg_class c on c.oid = g.tgrelid
join pg_catalog.pg_proc p on p.oid = g.tgfoid
where c.relnamespace = 'shoppulse'::regnamespace and not g.tgisinternal and g.tgenabled <> 'D'
order by 1, 2, 3
