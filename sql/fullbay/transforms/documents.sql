-- Stored documents by id, as JSON text. Grain: one row per invoice. Read only.
select id, raw_json_data::text
from fullbay.fullbay_raw_data
where id = any(%(ids)s)
