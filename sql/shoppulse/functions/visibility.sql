-- The metrics that a role of a tenant may see: a whitelist; no row, or is_visible not true, hides. Row security applies.
create or replace function shoppulse.visible_metrics(p_tenant_id text, p_role text) returns text[]
language plpgsql stable parallel restricted as $$
begin
    return array(
        select v.metric_name::text
        from shoppulse.role_metric_visibility v
        where v.tenant_id = p_tenant_id and v.role = p_role and v.is_visible
        order by v.metric_name
    );
end
$$;
alter function shoppulse.visible_metrics(text, text) owner to shoppulse_owner;
revoke all on function shoppulse.visible_metrics(text, text) from public;
