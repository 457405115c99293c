-- Shops that this run could not read, with the error of each. Grain: one row per shop. Read only.
select error_message
from fullbay.error_tracking_log
where execution_id = %(execution_id)s and context_data ->> 'shop' is not null
order by id
