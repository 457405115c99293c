-- Keys whose rows must be read: unknown to the mirror, marked as deleted there, or with another hash. Not those staged already.
select k.id
from mirror_keys k
left join {mirror} m on m.id = k.id
where (m.id is null or m._deleted_at is not null or {hash_differs})
  and {not_staged}
order by k.id;
