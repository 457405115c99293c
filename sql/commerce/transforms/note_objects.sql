-- Objects of one page of a listing into the ledger; what is known already stays. Result: the number of new ones.
with listed as (
    select *
    from unnest(%(keys)s::text[], %(versions)s::text[], %(etags)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[])
        as o (object_key, version_id, etag, size_bytes, last_modified)
),
noted as (
    insert into commerce.upload_objects (bucket, object_key, version_id, etag, size_bytes, last_modified)
    select %(bucket)s, object_key, version_id, etag, size_bytes, last_modified
    from listed
    order by last_modified, object_key, version_id
    on conflict (bucket, object_key, version_id, etag, last_modified) do nothing
    returning 1
)
select count(*) from noted;
