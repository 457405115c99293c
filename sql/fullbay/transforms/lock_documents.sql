-- Documents that are still as they were read, locked until their lines are stored: another run may have replaced one since.
-- Grain: one id per document. Locks rows.
select raw.id
from fullbay.fullbay_raw_data as raw
join unnest(%(ids)s::bigint[], %(hashes)s::text[]) as built (id, content_hash) on built.id = raw.id
where raw.content_hash = built.content_hash
order by raw.id
for update of raw
