-- Cells of one of the two metric tables whose metric is none of the registry, or not under that number, by which is looked up who sees
-- it. Parameter: table_name (the other table is not read). One row: checked, failed, examples.
select coalesce(sum(cells), 0), coalesce(sum(cells) filter (where unknown), 0),
    (array_agg(distinct cell.metric_name) filter (where unknown))[:10]
from (
    select metric_name, count(*) as cells,
        not exists (select from shoppulse.metrics as metric
                    where metric.metric_name = found.metric_name and metric.metric_number = found.metric_number) as unknown
    from (
        select metric_name, metric_number from shoppulse.tenant_daily_metrics where %(table_name)s = 'tenant_daily_metrics'
        union all
        select metric_name, metric_number from shoppulse.campaign_metrics where %(table_name)s = 'campaign_metrics'
    ) as found
    group by metric_name, metric_number
) as cell
