-- Quality of each table in numbers. Grain: one row per table of RAW or CORE that was synced, checked, drifted or quarantined; key
-- table_name. Windows end now. Read only, for the analysts too.
create or replace view ops.quality_metrics as
with clock as (
    select current_timestamp at time zone 'UTC' as now
), checked as (
    select
        c.table_name,
        count(*) filter (where c.executed_at > clock.now - interval '1 day') as checks_1d,
        count(*) filter (where c.executed_at > clock.now - interval '7 days') as checks_7d,
        count(*) as checks_30d,
        round(avg(c.passed::integer) filter (where c.executed_at > clock.now - interval '1 day'), 4) as pass_rate_1d,
        round(avg(c.passed::integer) filter (where c.executed_at > clock.now - interval '7 days'), 4) as pass_rate_7d,
        round(avg(c.passed::integer), 4) as pass_rate_30d,
        coalesce(sum(c.records_checked) filter (where c.executed_at > clock.now - interval '1 day'), 0) as records_checked_1d,
        coalesce(sum(c.records_checked) filter (where c.executed_at > clock.now - interval '7 days'), 0) as records_checked_7d,
        coalesce(sum(c.records_checked), 0) as records_checked_30d,
        coalesce(sum(c.records_failed) filter (where c.executed_at > clock.now - interval '1 day'), 0) as records_failed_1d,
        coalesce(sum(c.records_failed) filter (where c.executed_at > clock.now - interval '7 days'), 0) as records_failed_7d,
        coalesce(sum(c.records_failed), 0) as records_failed_30d
    from ops.data_quality_checks as c
    cross join clock
    where c.executed_at > clock.now - interval '30 days'
    group by c.table_name
), unresolved as (
    select
        table_name,
        count(*) filter (where not passed) as checks_failing,
        count(*) filter (where not passed and severity = 'ERROR') as errors_failing,
        (array_agg(check_type order by check_type) filter (where not passed)) as failing_checks,
        max(executed_at) as last_checked_at
    from ops.latest_checks
    group by table_name
), held as (
    select table_name, count(*) as quarantine_open, min(first_seen_at) as quarantine_oldest_at
    from ops.quarantine
    where closed_at is null
    group by table_name
), drifted as (
    select 'raw.' || raw_table as table_name, count(*) as drift_open from ops.schema_drift where closed_at is null group by raw_table
), synced as (
    select 'raw.' || raw_table as table_name, live_rows, synced_at from ops.mirror_state
), tables as (
    select table_name from unresolved
    union select table_name from held
    union select table_name from drifted
    union select table_name from synced
)
select
    tables.table_name::text as table_name,
    coalesce(checked.checks_1d, 0) as checks_1d,
    coalesce(checked.checks_7d, 0) as checks_7d,
    coalesce(checked.checks_30d, 0) as checks_30d,
    checked.pass_rate_1d,
    checked.pass_rate_7d,
    checked.pass_rate_30d,
    coalesce(checked.records_checked_1d, 0)::bigint as records_checked_1d,
    coalesce(checked.records_checked_7d, 0)::bigint as records_checked_7d,
    coalesce(checked.records_checked_30d, 0)::bigint as records_checked_30d,
    coalesce(checked.records_failed_1d, 0)::bigint as records_failed_1d,
    coalesce(checked.records_failed_7d, 0)::bigint as records_failed_7d,
    coalesce(checked.records_failed_30d, 0)::bigint as records_failed_30d,
    coalesce(unresolved.checks_failing, 0) as checks_failing,
    coalesce(unresolved.errors_failing, 0) as errors_failing,
    unresolved.failing_checks::text[] as failing_checks,
    unresolved.last_checked_at,
    coalesce(held.quarantine_open, 0) as quarantine_open,
    held.quarantine_oldest_at,
    coalesce(drifted.drift_open, 0) as drift_open,
    synced.live_rows,
    synced.synced_at as last_synced_at,
    clock.now - synced.synced_at as last_sync_age
from tables
cross join clock
left join checked on checked.table_name = tables.table_name
left join unresolved on unresolved.table_name = tables.table_name
left join held on held.table_name = tables.table_name
left join drifted on drifted.table_name = tables.table_name
left join synced on synced.table_name = tables.table_name;

comment on view ops.quality_metrics is 'One row per table: checks and failures over 1, 7 and 30 days, what is open, age of the last sync';
comment on column ops.quality_metrics.table_name is 'The table with its schema';
comment on column ops.quality_metrics.checks_1d is 'Checks evaluated in the last day';
comment on column ops.quality_metrics.checks_7d is 'Checks evaluated in the last 7 days';
comment on column ops.quality_metrics.checks_30d is 'Checks evaluated in the last 30 days';
comment on column ops.quality_metrics.pass_rate_1d is 'Share of those that passed, 0 to 1; null without any';
comment on column ops.quality_metrics.pass_rate_7d is 'The same over 7 days';
comment on column ops.quality_metrics.pass_rate_30d is 'The same over 30 days';
comment on column ops.quality_metrics.records_checked_1d is 'Rows, cells or ids checked in the last day, each check counted';
comment on column ops.quality_metrics.records_checked_7d is 'The same over 7 days';
comment on column ops.quality_metrics.records_checked_30d is 'The same over 30 days';
comment on column ops.quality_metrics.records_failed_1d is 'Of those, the ones that failed';
comment on column ops.quality_metrics.records_failed_7d is 'The same over 7 days';
comment on column ops.quality_metrics.records_failed_30d is 'The same over 30 days';
comment on column ops.quality_metrics.checks_failing is 'Unresolved: checks whose latest evaluation failed, whenever that was';
comment on column ops.quality_metrics.errors_failing is 'Of those, the ones of severity ERROR';
comment on column ops.quality_metrics.failing_checks is 'Their names';
comment on column ops.quality_metrics.last_checked_at is 'Latest evaluation of any check, UTC';
comment on column ops.quality_metrics.quarantine_open is 'Rows and values held in quarantine';
comment on column ops.quality_metrics.quarantine_oldest_at is 'Since when the oldest of them is held, UTC';
comment on column ops.quality_metrics.drift_open is 'Differences between source and catalogue that are still there';
comment on column ops.quality_metrics.live_rows is 'Rows of the mirror that its source still has; null for CORE';
comment on column ops.quality_metrics.last_synced_at is 'When the mirror was last synced, UTC; null for CORE';
comment on column ops.quality_metrics.last_sync_age is 'How long ago that is';

grant usage on schema ops to analyst;
grant select on ops.quality_metrics to odoo_apn_writer, analyst;
