-- Company names with their one spelling. Key: name. May be re-run.
insert into core.company_names as known (name, normalized_name, rules_version)
select name, normalized_name, %(rules)s
from unnest(%(keys)s::text[], %(values)s::text[]) as given (name, normalized_name)
order by name
on conflict (name) do update set normalized_name = excluded.normalized_name, rules_version = excluded.rules_version
