-- The part of every_id_resolves.sql for one target table, and the columns that point to it. A template.
select h.column_name, h.target_id, h.uses, h.example,
    d.id is not null and d._deleted_at is null as live,
    d.id is not null as known
from held as h
left join {target} as d on d.id = h.target_id
where h.column_name in ({columns})
