-- What a step took of the machine. Appends.
select fullbay.log_performance_metrics(
    %(execution_id)s, %(cpu)s, %(memory)s, null::integer, null::integer, %(milliseconds)s, null::integer, null::integer,
    null::integer, %(custom)s::jsonb
)
