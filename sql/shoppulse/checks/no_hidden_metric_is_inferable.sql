-- Hidden metrics that visible ones of a tenant's role give away, one alone or two together. Lists are many, and few of them differ: each is looked at once.
-- One row: checked (roles of tenants), failed, examples.
with list as (
    select tenant_id, role, shoppulse.visible_metrics(tenant_id, role) as seen
    from (select distinct tenant_id, role from shoppulse.role_metric_visibility) as listed
),
given_away as (
    select different.seen, found.metric_name, found.first_name, found.second_name
    from (select distinct seen from list) as different
    cross join lateral shoppulse.inferable_from(different.seen) as found
)
select count(distinct (list.tenant_id, list.role)),
    count(distinct (list.tenant_id, list.role)) filter (where given_away.metric_name is not null),
    (array_agg(format('%s %s: %s from %s', list.tenant_id, list.role, given_away.metric_name,
                      concat_ws(' and ', given_away.first_name, given_away.second_name)) order by list.tenant_id, list.role, given_away.metric_name)
        filter (where given_away.metric_name is not null))[:10]
from list
left join given_away using (seen)
