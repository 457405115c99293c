-- The audit trail as a chain: what an entry says is hashed, the entries of one transaction make one link of their tenant's chain,
-- and each link holds the hash of the link before it. How the hashes are made, byte by byte: docs/shoppulse.md, Audit.

-- The entry's own part. What a person could be known by (resource_id, details, ip_address) is hashed with a salt into content_hash
-- and can be taken out with the salt: the chain stays whole, and nobody can try out what it had been.
alter table shoppulse.audit_logs
    add column login text not null,
    add column link_id uuid not null,
    add column link_position integer not null check (link_position > 0),
    add column content_salt bytea,
    add column content_hash bytea not null check (octet_length(content_hash) = 32),
    add column entry_hash bytea not null check (octet_length(entry_hash) = 32),
    add constraint uq_audit_link_position unique (tenant_id, link_id, link_position);

-- One row per link: all entries that one transaction made for one tenant. Grain: tenant_id, seq, without gaps from 1.
create table shoppulse.audit_chain (
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    seq bigint not null check (seq > 0),
    link_id uuid not null,  -- of the rows in audit_logs
    entries integer not null check (entries > 0),
    entries_hash bytea not null check (octet_length(entries_hash) = 32),  -- over their entry_hash, in order
    chained_at timestamp not null,  -- UTC
    prev_hash bytea check (octet_length(prev_hash) = 32),  -- null in the first link only
    hash bytea not null check (octet_length(hash) = 32),
    primary key (tenant_id, seq),
    unique (tenant_id, link_id),
    check ((seq = 1) = (prev_hash is null))
);

-- One row per tenant: the last link, and the last one that was anchored outside, so that a loss of the anchors shows. Grain and key:
-- tenant_id. Who closes a link holds this row until his transaction is over.
create table shoppulse.audit_heads (
    tenant_id varchar(10) primary key references shoppulse.tenants (tenant_id) on delete restrict,
    seq bigint not null,
    hash bytea,
    entries bigint not null,  -- of all links
    anchored_seq bigint check (anchored_seq > 0),  -- null: none was
    anchored_hash bytea check (octet_length(anchored_hash) = 32),
    anchored_entries bigint,  -- of all links up to it
    anchored_at timestamp,  -- UTC
    check (num_nulls(anchored_seq, anchored_hash, anchored_entries, anchored_at) in (0, 4))
) with (fillfactor = 50);

-- One row per link that a running transaction has begun. Gone when it commits; unlogged, since none outlives its transaction.
create unlogged table shoppulse.audit_open (
    xid xid8 not null,
    tenant_id varchar(10) not null,
    link_id uuid not null,
    entries integer not null,
    entries_hash bytea not null,
    primary key (tenant_id, xid)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index idx_audit_open_xid on shoppulse.audit_open (xid);

do $$
declare
    v_table text;
begin
    foreach v_table in array array['audit_logs', 'audit_chain', 'audit_heads', 'audit_open'] loop
        execute format('revoke all on shoppulse.%I from public, commerce_writer', v_table);
        execute format('alter table shoppulse.%I owner to shoppulse_owner', v_table);
        execute format('alter table shoppulse.%I enable row level security', v_table);
        execute format('alter table shoppulse.%I force row level security', v_table);
    end loop;
    -- The functions chain for whichever tenant is concerned, and read no entry for it: of audit_logs they may only append.
    create policy audit_append on shoppulse.audit_logs for insert to shoppulse_owner with check (true);
    foreach v_table in array array['audit_chain', 'audit_heads', 'audit_open'] loop
        execute format('create policy tenant_isolation on shoppulse.%I using (tenant_id = (select shoppulse.access_tenant()))'
                       ' with check (tenant_id = (select shoppulse.access_tenant()))', v_table);
        execute format('create policy audit_functions on shoppulse.%I to shoppulse_owner using (true) with check (true)', v_table);
    end loop;
    -- Who verifies the chain reads all of it.
    foreach v_table in array array['audit_logs', 'audit_chain', 'audit_heads'] loop
        execute format('create policy audit_verification on shoppulse.%I for select to commerce_writer using (true)', v_table);
        execute format('grant select on shoppulse.%I to commerce_writer, shoppulse_maintenance', v_table);
    end loop;
end
$$;
