-- Live rows of the mirror, and how many of them are no longer at the source.
select count(*), count(*) filter (where k.id is null)
from {mirror} m
left join mirror_keys k on k.id = m.id
where m._deleted_at is null;
