-- A document whose lines could not be built or stored: it stays waiting and says why. May be re-run, and
-- then writes nothing.
update fullbay.fullbay_raw_data
set processed = false, processing_errors = %(error)s
where id = %(id)s and (processed or processing_errors is distinct from %(error)s)
