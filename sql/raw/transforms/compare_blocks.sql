-- The bit maps of the source's keys against those of the live rows here; keys on one side only go to mirror_differences.
-- Materialized: the planner takes every key for a block of its own, and would join anew for each bit. Result: rows of the source, live rows of the mirror, keys missing in the mirror, keys gone from the source.
with mirrored as materialized (
    select id::bigint >> 6 as block, bit_or(1::bigint << (id & 63)::integer) as keys, count(*) as key_rows
    from {mirror}
    where _deleted_at is null
    group by 1
),
differing as materialized (
    select coalesce(s.block, m.block) as block, coalesce(s.keys, 0) as there, coalesce(m.keys, 0) as here
    from mirror_blocks s
    full join mirrored m on m.block = s.block
    where s.keys is distinct from m.keys
),
noted as (
    insert into mirror_differences (id, missing)
    select d.block * 64 + bit, (d.there >> bit) & 1 = 1
    from differing d
    cross join generate_series(0, 63) bit
    where ((d.there # d.here) >> bit) & 1 = 1
    returning missing
)
select (select coalesce(sum(key_rows), 0) from mirror_blocks), (select coalesce(sum(key_rows), 0) from mirrored),
       count(*) filter (where missing), count(*) filter (where not missing)
from noted;
