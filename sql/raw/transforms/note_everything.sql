-- Tell the readers in CORE that every row of a mirror may have changed.
insert into ops.raw_changes (target_table, raw_table, source_id)
select target, %(raw_table)s, null from unnest(%(targets)s::text[]) target;
