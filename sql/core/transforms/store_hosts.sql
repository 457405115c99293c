-- Hosts with their registrable domains. Key: host. May be re-run.
insert into core.domains as known (host, normalized_domain, rules_version)
select host, normalized_domain, %(rules)s
from unnest(%(keys)s::text[], %(values)s::text[]) as given (host, normalized_domain)
order by host
on conflict (host) do update set normalized_domain = excluded.normalized_domain, rules_version = excluded.rules_version
