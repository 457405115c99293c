-- Stored rows that differ from what is delivered; no other row is touched.
update shoppulse.marketing_campaigns o
set date = s.date,
    channel = s.channel,
    spend = s.spend,
    impressions = s.impressions,
    clicks = s.clicks,
    conversions = s.conversions,
    revenue_attributed = s.revenue_attributed
from pg_temp.staged s
join pg_temp.found f on f.row_number = s.row_number and f.differs
where o.tenant_id = %(tenant_id)s and o.campaign_id = s.row_key;
