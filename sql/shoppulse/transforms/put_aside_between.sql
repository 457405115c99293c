-- What was put aside of a stretch of the file.
select row_number, row_key, code from pg_temp.put_aside where row_number between %(first)s and %(last)s order by row_number;
