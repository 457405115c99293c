-- Validation rules of raw.apn_funding_request, in one scan. Result: one row per rule that applied to any live row:
-- rule, checked, failed, the first ten ids. Read only.
-- Each condition is true for a good row, false for a bad one, null where the rule does not apply: "checked" counts the others.
-- Codes and their meaning: odoo_apn_assets/apn_rules.py.
with last_step as (
    select distinct on (h.funding_request_id) h.funding_request_id, h.to_stage
    from raw.apn_funding_request_history as h
    where h._deleted_at is null and h.to_stage is not null
    order by h.funding_request_id, h.date desc nulls last, h.id desc
), live as (
    select
        r.*,
        array[r.partner_contact_email, r.business_approver_email, r.psm_email] as emails,
        array[
            r.total_project_cost, r.estimated_arr, r.requested_amount, r.requested_cash_amount, r.requested_credit_amount,
            r.approved_cash_amount, r.approved_credit_amount, r.claimed_amount, r.paid_amount, r.remaining_amount
        ] as amounts,
        l.to_stage as last_stage
    from raw.apn_funding_request as r
    left join last_step as l on l.funding_request_id = r.id
    where r._deleted_at is null
), judged as (
    select rule.code, rule.good, live.id
    from live
    cross join lateral (values
        ('FR_BENEFIT_ID', benefit_id ~ '^ben-[0-9a-z]{14}$'),
        ('FR_APPLICATION_ID', benefit_application_id ~ '^benappl-[0-9a-z]{14}$'),
        ('FR_ALLOCATION_ID', allocation_id ~ '^benalloc-[0-9a-z]{14}$'),
        ('FR_OPPORTUNITY_ID', opportunity_id ~ '^O[0-9]{1,19}$'),
        ('FR_ACCOUNT', customer_aws_account ~ '^[0-9]{12}$'),
        ('FR_EMAIL', case when cardinality(array_remove(emails, null)) > 0
            then not exists (select from unnest(emails) as m (email) where m.email !~ %(email)s or length(m.email) > 80) end),
        ('FR_WEBSITE', customer_website ~ %(website)s and length(customer_website) between 4 and 255),
        ('FR_AMOUNTS', case when cardinality(array_remove(amounts, null)) > 0
            then not exists (select from unnest(amounts) as a (amount) where a.amount < 0 or a.amount = 'NaN') end),
        ('FR_REQUESTED', case when coalesce(requested_cash_amount, requested_credit_amount) is not null
            then coalesce(requested_amount = coalesce(requested_cash_amount, 0) + coalesce(requested_credit_amount, 0), false) end),
        ('FR_CLAIMED', case when claimed_amount is not null
            then claimed_amount <= coalesce(approved_cash_amount, 0) end),
        ('FR_PAID', case when paid_amount is not null then paid_amount <= coalesce(claimed_amount, 0) end),
        ('FR_REMAINING', case when remaining_amount is not null
            then remaining_amount = coalesce(approved_cash_amount, 0) - coalesce(claimed_amount, 0) end),
        ('FR_DATES', planned_start_date <= planned_end_date),
        ('FR_LAST_STAGE', case when last_stage is not null then coalesce(last_stage = stage, false) end)
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
