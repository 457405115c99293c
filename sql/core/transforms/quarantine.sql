-- Rows of `incoming` that do not fit the table, each once and whole, with every column that stands in the way; what fits now or is gone
-- is closed. Key: source_id among the open ones. May be re-run: rows that are the same are not written. Result: how many are open now.
with columns as (
    select attname::text as name, attnum, attnotnull as required, format_type(atttypid, atttypmod) as type,
        case when atttypid = 'varchar'::regtype then atttypmod - 4 end as longest,
        case when atttypid = 'numeric'::regtype then power(10::numeric, ((atttypmod - 4) >> 16) - ((atttypmod - 4) & 65535)) end as bound
    from pg_attribute
    where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped
), suspects as materialized (
    select source_key::text as source_id, refusal, refusal_message,
        to_jsonb(incoming) - array['source_key', 'source_table', 'suspect', 'refusal', 'refusal_message', 'website_host', 'mail_host'] as payload
    from incoming
    where suspect
), faults as (
    select source_id, 0 as attnum, 'account_id' as name, refusal as reason, refusal_message as message, payload ->> 'account_id' as value
    from suspects
    where refusal is not null
    union all
    select source_id, attnum, columns.name, fault.reason, fault.message, payload ->> columns.name
    from suspects
    join columns on payload ? columns.name
    cross join lateral (
        select 'MISSING', format('%%s: no value, one is needed', columns.name)
        where columns.required and payload ->> columns.name is null
        union all
        select 'TOO_LONG', format('%%s: %%s characters found, at most %%s fit', columns.name, length(payload ->> columns.name), longest)
        where length(payload ->> columns.name) > longest
        union all
        select case when payload ->> columns.name in ('NaN', 'Infinity', '-Infinity') then 'NOT_A_NUMBER' else 'OUT_OF_RANGE' end,
            format('%%s: %%s does not fit %%s', columns.name, left(payload ->> columns.name, 40), columns.type)
        where case when bound is not null then abs((payload ->> columns.name)::numeric) >= bound end
    ) as fault (reason, message)
), refused as (
    select source_id, (array_agg(reason order by attnum))[1] as reason, string_agg(message, '; ' order by attnum) as message,
        left((array_agg(value order by attnum))[1], 1000) as value
    from faults group by source_id
), opened as (
    insert into ops.quarantine as held (stage, table_name, source_id, reason, message, value, payload, rules_version)
    select 'core', %(table)s, source_id, refused.reason, refused.message, refused.value, payload, %(rules)s
    from refused join suspects using (source_id)
    order by source_id
    on conflict (stage, table_name, source_id, column_name) where closed_at is null do update set
        reason = excluded.reason, message = excluded.message, value = excluded.value, payload = excluded.payload,
        rules_version = excluded.rules_version, last_seen_at = current_timestamp
    where (held.reason, held.message, held.value, held.payload, held.rules_version)
        is distinct from (excluded.reason, excluded.message, excluded.value, excluded.payload, excluded.rules_version)
), closed as (
    update ops.quarantine as held
    set closed_at = current_timestamp
    where held.stage = 'core' and held.table_name = %(table)s and held.closed_at is null
      and (%(everything)s or held.source_id in (select source_key::text from affected))
      and not exists (select from suspects where suspects.source_id = held.source_id)
)
select count(*) from suspects
