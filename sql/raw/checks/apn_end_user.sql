-- Validation rules of raw.apn_end_user, in one scan. Result: one row per rule that applied to any live row:
-- rule, checked, failed, the first ten ids. Read only.
-- Each condition is true for a good row, false for a bad one, null where the rule does not apply: "checked" counts the others.
-- Codes and their meaning: odoo_apn_assets/apn_rules.py.
with live as (
    select e.* from raw.apn_end_user as e where e._deleted_at is null
), judged as (
    select rule.code, rule.good, live.id
    from live
    cross join lateral (values
        ('EU_ACCOUNT', aws_account_id ~ '^[0-9]{12}$'),
        ('EU_PAYER_ACCOUNT', payer_account_id ~ '^[0-9]{12}$'),
        ('EU_DUNS', duns_number ~ '^[0-9]{9}$'),
        ('EU_WEBSITE', website ~ %(website)s and length(website) between 4 and 255),
        ('EU_COMPANY_LENGTH', length(company_name) <= 120),
        ('EU_POSTAL_CODE', case
            when country = any (%(countries_with_format)s)
                then postal_code ~ (%(postal_formats)s)[array_position(%(countries_with_format)s, country::text)]
            when country = any (%(countries_without_codes)s) and postal_code is not null
                then postal_code = %(postal_placeholder)s
        end),
        ('EU_OPPORTUNITY_ID', opportunity_id ~ '^O[0-9]{1,19}$')
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
