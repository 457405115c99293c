-- Shops that this run could not read, with the error of each and its class. Grain: one row per shop. Read only.
select context_data ->> 'shop' as shop, error_message, error_type
from fullbay.error_tracking_log
where execution_id = %(execution_id)s and context_data ->> 'shop' is not null
order by id
