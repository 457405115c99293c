-- The days of the dates on the queue beside what changes put there, so that one refresh takes its locks in one order.
insert into fullbay.refresh_queue (target, key, execution_id)
select 'DAY', to_char(day, 'YYYY-MM-DD'), %(execution_id)s
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day
