-- Values of coded columns that their list does not have, of one mirror. Read only.
-- A template: table and cells are composed from the specs, identifiers quoted (odoo_apn_assets/value_lists.py). Parameters:
-- columns, values and listed, side by side: a value of a column, and the listed value that it is another spelling of (itself if listed).
-- Result: one row per column that holds any value: column, cells checked, cells with an unknown value, cells with only another
-- spelling, the unknown values, the other spellings (each up to ten, most frequent first), the first ten ids with unknown values, one for each such cell.
with list as (
    select * from unnest(%(columns)s::text[], %(values)s::text[], %(listed)s::text[]) as l (column_name, value, listed)
), held as materialized (
    -- Distinct cells first: splitting each row's text would cost a hundred times as much.
    select c.column_name, c.cell, count(*) as uses, min(t.id) as example
    from {table} as t
    cross join lateral (values {cells}) as c (column_name, cell)
    where t._deleted_at is null and cardinality(c.cell) > 0
    group by c.column_name, c.cell
), parts as (
    select h.column_name, h.cell, h.uses, h.example, btrim(p.value) as value, l.listed
    from held as h
    cross join lateral unnest(h.cell) as p (value)
    left join list as l on l.column_name = h.column_name and l.value = btrim(p.value)
    where p.value is not null and btrim(p.value) <> ''
), cells as (
    select column_name, cell, uses, example, bool_or(listed is null) as unknown, bool_or(listed <> value) as respelled
    from parts
    group by column_name, cell, uses, example
), strays as (
    select column_name, listed is null as unknown, value, sum(uses) as uses
    from parts
    where listed is distinct from value
    group by column_name, listed is null, value
)
select c.column_name,
    sum(c.uses)::bigint,
    coalesce(sum(c.uses) filter (where c.unknown), 0)::bigint,
    coalesce(sum(c.uses) filter (where c.respelled and not c.unknown), 0)::bigint,
    (select (array_agg(s.value order by s.uses desc, s.value))[1:10] from strays as s
        where s.column_name = c.column_name and s.unknown),
    (select (array_agg(s.value order by s.uses desc, s.value))[1:10] from strays as s
        where s.column_name = c.column_name and not s.unknown),
    (array_agg(c.example order by c.example) filter (where c.unknown))[1:10]
from cells as c
group by c.column_name
order by c.column_name
