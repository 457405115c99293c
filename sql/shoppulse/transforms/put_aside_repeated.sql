-- Of rows with the same key the last one counts; those before it are put aside.
insert into pg_temp.put_aside (row_number, row_key, code)
select row_number, row_key, 'DUPLICATE_KEY'
from (
    select row_number, row_key, row_number() over (partition by row_key order by row_number desc) as place
    from pg_temp.staged
    where row_key in (select row_key from pg_temp.staged group by row_key having count(*) > 1)
) r
where place > 1;
