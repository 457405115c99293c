-- How many staged rows the mirror had marked as deleted. OFFSET keeps the planner to one look into the index a row.
select count(*)
from mirror_stage s
cross join lateral (select m._deleted_at from {mirror} m where m.id = s.id offset 0) m
where m._deleted_at is not null;
