-- Delivered rows that are not stored yet. One writer at a time holds the lease: no row comes in between.
insert into shoppulse.marketing_campaigns
    (tenant_id, campaign_id, date, channel, spend, impressions, clicks, conversions, revenue_attributed)
select %(tenant_id)s, s.row_key, s.date, s.channel, s.spend, s.impressions, s.clicks, s.conversions, s.revenue_attributed
from pg_temp.staged s
where not exists (select from pg_temp.found f where f.row_number = s.row_number);
