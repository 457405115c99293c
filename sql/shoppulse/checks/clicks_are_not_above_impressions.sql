-- Campaign rows with more clicks than impressions, or more conversions than clicks. Result: checked, failed, first examples.
with judged as (
    select tenant_id || ' ' || campaign_id as name, clicks > impressions or conversions > clicks as odd
    from shoppulse.marketing_campaigns
)
select count(*), count(*) filter (where odd), (array_agg(name order by name) filter (where odd))[1:10] from judged;
