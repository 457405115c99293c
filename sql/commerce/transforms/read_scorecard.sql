-- The scorecard of every vendor who has uploaded. Read only.
select vendor_name, uploads, total_rows, first_pass_yield_percent,
       (select string_agg((one ->> 'code') || ' ' || (one ->> 'rows'), ', ') from jsonb_array_elements(commonest_codes) as one),
       products_waiting_for_correction,
       date_trunc('second', median_time_to_fix)::text, round(extract(epoch from median_time_to_answer), 1)::text
from commerce.vendor_scorecard
where uploads > 0
order by first_pass_yield_percent nulls last, vendor_id;
