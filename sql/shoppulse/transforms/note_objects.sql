-- Objects of one page of a listing into the ledger; tenant and table are the second and third part of the key. What is known already
-- stays. A listing has the newest version of a key first: of versions of one second the last one counts as the newer.
-- Result: the number of new ones.
with listed as (
    select *
    from unnest(%(keys)s::text[], %(versions)s::text[], %(etags)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[])
        with ordinality as o (object_key, version_id, etag, size_bytes, last_modified, place)
),
noted as (
    insert into shoppulse.delivery_objects
        (tenant_id, table_name, bucket, object_key, version_id, etag, size_bytes, last_modified)
    select split_part(object_key, '/', 2),
           case when object_key like 'tenants/%%/%%/%%' then split_part(object_key, '/', 3) else '' end,
           %(bucket)s, object_key, version_id, etag, size_bytes, last_modified
    from listed
    order by last_modified, object_key, place desc
    on conflict (tenant_id, bucket, object_key, version_id, etag, last_modified) do nothing
    returning 1
)
select count(*) from noted;
