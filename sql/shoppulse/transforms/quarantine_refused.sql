-- The rows of a delivery that were not taken, kept whole. Those that are an older word already are settled at once: of a key that a later
-- row of the file has, or, when the delivery is late, a newer delivery. Result: the number.
with later as (
    select s.row_key, max(s.row_number) as row_number
    from pg_temp.staged s
    where s.row_key in (select row_key from pg_temp.refused)
    group by s.row_key
),
judged as (
    select r.*, r.code = 'DUPLICATE_KEY' or n.row_key is not null or coalesce(l.row_number > r.row_number, false) as overtaken
    from pg_temp.refused r
    left join (select distinct row_key from pg_temp.newer) n on n.row_key = r.row_key
    left join later l on l.row_key = r.row_key
),
kept as (
    insert into shoppulse.quarantined_rows
        (tenant_id, table_name, object_id, row_number, row_key, code, column_name, message, original, resolved_at, resolution)
    select %(tenant_id)s, %(table_name)s, %(object_id)s, row_number, row_key, code, column_name, message, original,
           case when overtaken then current_timestamp end, case when overtaken then 'overtaken' end
    from judged
    order by row_number
    returning 1
)
select count(*) from kept;
