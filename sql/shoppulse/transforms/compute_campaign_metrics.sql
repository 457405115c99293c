-- The cells of the days in `refreshing`, one row per tenant, day, metric and channel, as shoppulse.campaign_metrics has them. A tenant
-- reports spend and revenue in his own currency. Ratios count the rows that have both sides and do not contradict themselves.
create temporary table fresh_metrics on commit drop as
with campaign as (
    select day.tenant_id, day.day, coalesce(campaign.channel, '') as channel,
        nullif(campaign.spend, 'NaN') as spend, nullif(campaign.revenue_attributed, 'NaN') as revenue,
        case when campaign.impressions >= 0 then campaign.impressions end as impressions,
        case when campaign.clicks >= 0 then campaign.clicks end as clicks,
        case when campaign.conversions >= 0 then campaign.conversions end as conversions
    from refreshing as day
    join shoppulse.marketing_campaigns as campaign on campaign.tenant_id = day.tenant_id and campaign.date = day.day
),
cell as (
    select tenant_id, day, channel, count(*) as campaigns,
        coalesce(sum(spend), 0) as spend, count(*) - count(spend) as no_spend,
        coalesce(sum(impressions), 0) as impressions, count(*) - count(impressions) as no_impressions,
        coalesce(sum(clicks), 0) as clicks, count(*) - count(clicks) as no_clicks,
        coalesce(sum(conversions), 0) as conversions, count(*) - count(conversions) as no_conversions,
        coalesce(sum(revenue), 0) as revenue, count(*) - count(revenue) as no_revenue,
        coalesce(sum(clicks) filter (where clicks <= impressions), 0) as ctr_clicks,
        coalesce(sum(impressions) filter (where clicks <= impressions), 0) as ctr_impressions,
        count(*) filter (where clicks > impressions) as ctr_wrong,
        count(*) - count(*) filter (where clicks <= impressions) as no_ctr,
        coalesce(sum(conversions) filter (where conversions <= clicks), 0) as rate_conversions,
        coalesce(sum(clicks) filter (where conversions <= clicks), 0) as rate_clicks,
        count(*) filter (where conversions > clicks) as rate_wrong,
        count(*) - count(*) filter (where conversions <= clicks) as no_rate,
        coalesce(sum(revenue) filter (where spend is not null), 0) as roas_revenue,
        coalesce(sum(spend) filter (where revenue is not null), 0) as roas_spend,
        count(*) - count(spend + revenue) as no_roas,
        coalesce(sum(spend) filter (where conversions is not null), 0) as cac_spend,
        coalesce(sum(conversions) filter (where spend is not null), 0) as cac_conversions,
        count(*) - count(spend + conversions) as no_cac
    from campaign
    group by tenant_id, day, channel
)
select cell.tenant_id, cell.day as metric_date, metric.metric_name, cell.channel,
    metric.numerator, metric.denominator, metric.missing::bigint, metric.null_reason
from cell
cross join lateral (
    values
        ('campaign_spend', spend, null::numeric, no_spend, case when no_spend > 0 then 'NO_AMOUNT' end),
        ('impressions', impressions, null, no_impressions, case when no_impressions > 0 then 'NO_COUNT' end),
        ('clicks', clicks, null, no_clicks, case when no_clicks > 0 then 'NO_COUNT' end),
        ('conversions', conversions, null, no_conversions, case when no_conversions > 0 then 'NO_COUNT' end),
        ('revenue_attributed', revenue, null, no_revenue, case when no_revenue > 0 then 'NO_AMOUNT' end),
        ('ctr', ctr_clicks, ctr_impressions, no_ctr, case when no_ctr > ctr_wrong then 'NO_COUNT' when no_ctr > 0 then 'CONTRADICTORY' end),
        ('conversion_rate', rate_conversions, rate_clicks, no_rate,
            case when no_rate > rate_wrong then 'NO_COUNT' when no_rate > 0 then 'CONTRADICTORY' end),
        ('roas', roas_revenue, roas_spend, no_roas, case when no_roas > 0 then 'NO_AMOUNT' end),
        ('cac', cac_spend, cac_conversions, no_cac,
            case when no_conversions > 0 then 'NO_COUNT' when no_cac > 0 then 'NO_AMOUNT' end)
) as metric (metric_name, numerator, denominator, missing, null_reason)
