-- The registry as the database has it: one row, of texts, per metric, identity and disclosure.
select array['metric', metric_name, metric_number::text, formula, grain, dated, unit, null_rule, source, strict::text, owner,
             array_to_string(depends_on, ','), array_to_string(needs, ',')]
from shoppulse.metrics
union all
select array['identity', metric_name, first_name, operator, second_name] from shoppulse.metric_identities
union all
select array['disclosure', metric_name, source_name, how] from shoppulse.metric_disclosures
