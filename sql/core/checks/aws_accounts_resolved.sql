-- Ids of AWS accounts without the name that they stand for, by column. Result: one row; the examples count per column. Read only.
with counted as (
    select count(*) as rows,
        count(*) filter (where company_id is not null and company_name is null) as company_name,
        count(*) filter (where partner_id is not null and partner_name is null) as partner_name,
        count(*) filter (where salesperson_id is not null and salesperson_name is null) as salesperson_name,
        count(*) filter (where payer_account_id is not null and payer_account_name is null) as payer_account_name
    from core.aws_accounts
), named as (
    select key, value::bigint from counted cross join lateral jsonb_each_text(to_jsonb(counted) - 'rows')
)
select (select rows from counted), (select sum(value)::bigint from named), 0, (select sum(value)::bigint from named),
    (select array_agg(key || ': ' || value order by value desc, key) from named where value > 0)
