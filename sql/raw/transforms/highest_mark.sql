-- The position of a mirror: its highest mark among live rows, and a row that has it.
select {mark}, id::text from {mirror} where {mark} is not null and _deleted_at is null order by {mark} desc, id desc limit 1;
