-- Keys whose derived rows must be refreshed; committed together with the data that makes it necessary.
-- Grain: one row per key and change; duplicates are harmless. Consumed by fullbay.refresh_queued.
insert into fullbay.refresh_queue (target, key, execution_id)
select distinct queued.target, queued.key, %(execution_id)s
from unnest(%(targets)s::text[], %(keys)s::text[]) as queued (target, key)
order by 1, 2
