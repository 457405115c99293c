-- Which rows of a delivery are stored already, and whether they differ from what is delivered. Gone with the transaction.
create temporary table found on commit drop as
select s.row_number,
       (o.date, o.channel, o.spend, o.impressions, o.clicks, o.conversions, o.revenue_attributed)
       is distinct from (s.date, s.channel, s.spend, s.impressions, s.clicks, s.conversions, s.revenue_attributed) as differs,
       o.date as old_day
from pg_temp.staged s
join shoppulse.marketing_campaigns o on o.tenant_id = %(tenant_id)s and o.campaign_id = s.row_key;
