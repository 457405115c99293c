-- Keys of the source as bit maps, 64 to a row, and the keys that are on one side only.
create temporary table mirror_blocks (block bigint not null, keys bigint not null, key_rows bigint not null) on commit drop;
create temporary table mirror_differences on commit drop as select id, null::boolean as missing from {mirror} with no data;
