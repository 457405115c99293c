-- Live rows of the mirror, and how many of them the shadow does not have although they could have been stored.
select count(*), count(*) filter (where s.id is null and m.id::text <> all (%(refused)s))
from {mirror} m
left join {shadow} s on s.id = m.id
where m._deleted_at is null;
