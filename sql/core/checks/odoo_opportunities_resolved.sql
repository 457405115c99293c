-- Ids of opportunities without the name that they stand for, by column. Result: one row; the examples count per column. Read only.
with counted as (
    select count(*) as rows,
        count(*) filter (where partner_id is not null and partner_name is null) as partner_name,
        count(*) filter (where user_id is not null and user_name is null) as user_name,
        count(*) filter (where team_id is not null and team_name is null) as team_name,
        count(*) filter (where stage_id is not null and stage_name is null) as stage_name,
        count(*) filter (where aws_account_id is not null and aws_account_name is null) as aws_account_name,
        count(*) filter (where aws_payer_account_id is not null and aws_payer_account_name is null) as aws_payer_account_name
    from core.odoo_opportunities
), named as (
    select key, value::bigint from counted cross join lateral jsonb_each_text(to_jsonb(counted) - 'rows')
)
select (select rows from counted), (select sum(value)::bigint from named), 0, (select sum(value)::bigint from named),
    (select array_agg(key || ': ' || value order by value desc, key) from named where value > 0)
