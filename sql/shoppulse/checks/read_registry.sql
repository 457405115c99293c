-- The registry as the database has it: one row per metric, by name.
select metric_name, formula, unit, source, strict, depends_on, needs from shoppulse.metrics order by metric_name
