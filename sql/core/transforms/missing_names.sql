-- Company names of `incoming` that the dictionary lacks or has by other rules. Result: one row per name.
select distinct incoming.company_key
from incoming
left join core.company_names as known on known.name = incoming.company_key and known.rules_version = %(rules)s
where not incoming.suspect and incoming.company_key is not null and length(incoming.company_key) <= 500 and known.name is null
