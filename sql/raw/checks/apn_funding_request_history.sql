-- Validation rules of raw.apn_funding_request_history, in one scan. Result: one row per rule that applied to any live row:
-- rule, checked, failed, the first ten ids. Read only.
-- Each condition is true for a good row, false for a bad one, null where the rule does not apply: "checked" counts the others.
-- Steps of one request follow each other by date, then id; events that move no stage are left out.
-- Codes and their meaning: odoo_apn_assets/apn_rules.py.
with live as (
    select
        h.id,
        h.to_stage,
        lead(h.from_stage) over steps as next_from_stage,
        lead(h.id) over steps as next_id
    from raw.apn_funding_request_history as h
    where h._deleted_at is null and (h.from_stage is not null or h.to_stage is not null)
    window steps as (partition by h.funding_request_id order by h.date, h.id)
), judged as (
    select rule.code, rule.good, live.id
    from live
    cross join lateral (values
        ('FH_CHAIN', case when next_id is not null then coalesce(to_stage = next_from_stage, false) end)
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
