-- Brings the queued keys of one target up to date. Result: one row, keys and rows written. May be re-run.
select keys, rows_written from fullbay.refresh_queued(%(target)s)
