-- The catalogue of source columns as given. Key: (source_system, table_name, position). May be re-run: only differing rows
-- are written. Result: one row, rows written.
with given as (
    select *
    from unnest(
        %(source_systems)s::text[], %(table_names)s::text[], %(positions)s::integer[], %(column_names)s::text[],
        %(data_types)s::text[], %(relations)s::text[], %(descriptions)s::text[]
    ) as g (source_system, table_name, position, column_name, data_type, relation, description)
), gone as (
    delete from ops.source_columns as stored
    where not exists (
        select from given
        where (given.source_system, given.table_name, given.position)
            = (stored.source_system, stored.table_name, stored.position)
    )
    returning 1
), written as (
    insert into ops.source_columns as stored
    select * from given
    on conflict (source_system, table_name, position) do update set
        column_name = excluded.column_name,
        data_type = excluded.data_type,
        relation = excluded.relation,
        description = excluded.description
    where (stored.column_name, stored.data_type, stored.relation, stored.description)
        is distinct from (excluded.column_name, excluded.data_type, excluded.relation, excluded.description)
    returning 1
)
select (select count(*) from written) + (select count(*) from gone)
