-- The tenant-days that this transaction computes, and how their tenants count. Grain and key: tenant_id, day.
create temporary table refreshing (
    tenant_id varchar(10) not null,
    day date not null,
    today date not null,
    currency varchar(3) not null,
    primary key (tenant_id, day)
) on commit drop
