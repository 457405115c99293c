-- Visible names on lists of roles that are no metric's: they show nothing. One row: checked (names of lists), failed, examples.
select count(*), count(*) filter (where metric.metric_name is null),
    (array_agg(format('%s %s: %s', listed.tenant_id, listed.role, listed.metric_name)
               order by listed.tenant_id, listed.role, listed.metric_name)
        filter (where metric.metric_name is null))[:10]
from shoppulse.role_metric_visibility as listed
left join shoppulse.metrics as metric on metric.metric_name = listed.metric_name
where listed.is_visible
