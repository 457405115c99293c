-- What a step's statements cost. Grain: one row per statement run. Appends.
select fullbay.log_database_query(
    %(execution_id)s, query.kind, query.table_name, query.text, null::jsonb, query.milliseconds, query.rows, query.bytes,
    query.error, query.error_type
)
from unnest(
    %(kinds)s::text[], %(tables)s::text[], %(texts)s::text[], %(milliseconds)s::integer[], %(rows)s::integer[],
    %(bytes)s::integer[], %(errors)s::text[], %(error_types)s::text[]
) as query (kind, table_name, text, milliseconds, rows, bytes, error, error_type)
