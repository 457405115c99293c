-- Columns that the file lacks stay as they are stored.
update pg_temp.staged s
set channel = case when 'channel' = any (%(absent)s) then o.channel else s.channel end,
    spend = case when 'spend' = any (%(absent)s) then o.spend else s.spend end,
    impressions = case when 'impressions' = any (%(absent)s) then o.impressions else s.impressions end,
    clicks = case when 'clicks' = any (%(absent)s) then o.clicks else s.clicks end,
    conversions = case when 'conversions' = any (%(absent)s) then o.conversions else s.conversions end,
    revenue_attributed = case when 'revenue_attributed' = any (%(absent)s) then o.revenue_attributed else s.revenue_attributed end
from shoppulse.marketing_campaigns o
where o.tenant_id = %(tenant_id)s and o.campaign_id = s.row_key;
