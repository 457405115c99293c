-- The shop's zone for this transaction: date-times of the API carry none.
select set_config('fullbay.time_zone', %(time_zone)s, true)
