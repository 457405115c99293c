-- For each tenant: what its cells say of campaigns, beside its campaigns; to the cent. Tenants with days that are noted and not computed
-- yet are left out. One row: checked (tenants), failed, examples.
with state as (
    select tenant_id from shoppulse.metric_states
    where tenant_id not in (select tenant_id from shoppulse.changed_days where source = 'campaigns')
),
source as (
    select tenant_id,
        coalesce(sum(nullif(spend, 'NaN')), 0) as spend, coalesce(sum(nullif(revenue_attributed, 'NaN')), 0) as revenue,
        coalesce(sum(impressions) filter (where impressions >= 0), 0) as impressions,
        coalesce(sum(clicks) filter (where clicks >= 0), 0) as clicks,
        coalesce(sum(conversions) filter (where conversions >= 0), 0) as conversions
    from shoppulse.marketing_campaigns
    group by tenant_id
),
cell as (
    select tenant_id,
        coalesce(sum(numerator) filter (where metric_name = 'campaign_spend'), 0) as spend,
        coalesce(sum(numerator) filter (where metric_name = 'revenue_attributed'), 0) as revenue,
        coalesce(sum(numerator) filter (where metric_name = 'impressions'), 0) as impressions,
        coalesce(sum(numerator) filter (where metric_name = 'clicks'), 0) as clicks,
        coalesce(sum(numerator) filter (where metric_name = 'conversions'), 0) as conversions
    from shoppulse.campaign_metrics
    group by tenant_id
),
compared as (
    select state.tenant_id, pair.what, pair.ours, pair.theirs
    from state
    left join source using (tenant_id)
    left join cell using (tenant_id)
    cross join lateral (
        values
            ('campaign_spend', coalesce(cell.spend, 0), coalesce(source.spend, 0)),
            ('revenue_attributed', coalesce(cell.revenue, 0), coalesce(source.revenue, 0)),
            ('impressions', coalesce(cell.impressions, 0), coalesce(source.impressions, 0)),
            ('clicks', coalesce(cell.clicks, 0), coalesce(source.clicks, 0)),
            ('conversions', coalesce(cell.conversions, 0), coalesce(source.conversions, 0))
    ) as pair (what, ours, theirs)
)
select (select count(*) from state),
    count(distinct tenant_id) filter (where ours <> theirs),
    (array_agg(format('%s %s: %s in the metrics, %s in the sources', tenant_id, what, ours, theirs) order by tenant_id, what)
        filter (where ours <> theirs))[:10]
from compared
