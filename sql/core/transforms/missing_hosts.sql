-- Hosts of `incoming` that the dictionary lacks or has by other rules. Result: one row per host.
select incoming.host
from (
    select website_host as host from incoming where not suspect
    union
    select mail_host from incoming where not suspect
) as incoming
left join core.domains as known on known.host = incoming.host and known.rules_version = %(rules)s
where incoming.host is not null and known.host is null
