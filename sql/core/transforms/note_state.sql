-- By which rules the table now is. Key: target_table. May be re-run: written when the rules are others.
insert into ops.core_state as state (target_table, rules_version)
values (%(target)s, %(rules)s)
on conflict (target_table) do update set rules_version = excluded.rules_version, transformed_at = current_timestamp
where state.rules_version <> excluded.rules_version
