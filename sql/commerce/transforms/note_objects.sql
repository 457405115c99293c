-- Objects of one page of a listing into the ledger; what is known already stays. Result: the number of new ones.
-- Times are whole seconds and the newest version of a key is listed first: of two in one second the later listed is the older.
with listed as (
    select *
    from unnest(%(keys)s::text[], %(versions)s::text[], %(etags)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[])
        with ordinality as o (object_key, version_id, etag, size_bytes, last_modified, place)
),
noted as (
    insert into commerce.upload_objects (bucket, object_key, version_id, etag, size_bytes, last_modified)
    select %(bucket)s, object_key, version_id, etag, size_bytes, last_modified
    from listed
    order by last_modified, object_key, place desc
    on conflict (bucket, object_key, version_id, etag, last_modified) do nothing
    returning 1
)
select count(*) from noted;
