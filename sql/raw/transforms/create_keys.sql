-- Keys of the source, with the row hashes where they are compared.
create temporary table mirror_keys on commit drop as select id, null::bigint as _row_hash from {mirror} with no data;
