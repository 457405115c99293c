-- Rows of shoppulse.tenant_daily_metrics whose metric is none of the registry, and so nobody's to see. One row: checked, failed, examples.
select coalesce(sum(cells), 0), coalesce(sum(cells) filter (where unknown), 0),
    (array_agg(distinct cell.metric_name) filter (where unknown))[:10]
from (
    select metric_name, count(*) as cells,
        not exists (select from shoppulse.metrics as metric where metric.metric_name = found.metric_name) as unknown
    from shoppulse.tenant_daily_metrics as found
    group by metric_name
) as cell
