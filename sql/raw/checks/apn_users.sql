-- Validation rules of raw.apn_users, in one scan. Result: one row per rule that applied to any live row:
-- rule, checked, failed, the first ten ids. Read only.
-- Each condition is true for a good row, false for a bad one, null where the rule does not apply: "checked" counts the others.
-- Codes and their meaning: odoo_apn_assets/apn_rules.py.
with live as (
    select u.* from raw.apn_users as u where u._deleted_at is null
), judged as (
    select rule.code, rule.good, live.id
    from live
    cross join lateral (values
        ('USR_EMAIL', email ~ %(email)s and length(email) <= 80)
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
