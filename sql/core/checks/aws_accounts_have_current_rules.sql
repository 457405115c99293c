-- The table was made by the rules of the code that is running, and so were the names and domains it joins. Result: one row. Read only.
select count(*), count(*) filter (where rules_version is distinct from %(rules)s), %(rules)s, max(rules_version),
    array_agg(rules_version) filter (where rules_version is distinct from %(rules)s)
from (select) as nothing left join ops.core_state on target_table = 'aws_accounts'
