-- Validation rules of raw.apn_cash_claim, in one scan. Result: one row per rule that applied to any live row:
-- rule, checked, failed, the first ten ids. Read only.
-- Each condition is true for a good row, false for a bad one, null where the rule does not apply: "checked" counts the others.
-- Codes and their meaning: odoo_apn_assets/apn_rules.py.
with live as (
    select
        c.*,
        r.currency as request_currency,
        r.planned_start_date as request_start,
        r.planned_end_date as request_end,
        array[c.planned_amount, c.claimed_amount, c.approved_amount, c.paid_amount] as amounts
    from raw.apn_cash_claim as c
    left join raw.apn_funding_request as r on r.id = c.funding_request_id and r._deleted_at is null
    where c._deleted_at is null
), judged as (
    select rule.code, rule.good, live.id
    from live
    cross join lateral (values
        ('CC_AMOUNTS', case when cardinality(array_remove(amounts, null)) > 0
            then not exists (select from unnest(amounts) as a (amount) where a.amount < 0 or a.amount = 'NaN') end),
        ('CC_PAID', case when paid_amount is not null then paid_amount <= coalesce(claimed_amount, 0) end),
        ('CC_CURRENCY', currency = request_currency),
        ('CC_DATES', case
            when planned_start_date > planned_end_date or actual_start_date > actual_end_date then false
            when planned_end_date >= planned_start_date or actual_end_date >= actual_start_date then true
        end),
        ('CC_INSIDE_REQUEST', case
            when planned_start_date < request_start or planned_end_date > request_end then false
            when planned_start_date >= request_start or planned_end_date <= request_end then true
        end)
    ) as rule (code, good)
    where rule.good is not null
)
select code, count(*), count(*) filter (where not good),
    (select array_agg(f.id order by f.id) from (
        select e.id from unnest(array_agg(judged.id) filter (where not good)) as e (id) order by e.id limit 10
    ) as f)
from judged
group by code
order by code
