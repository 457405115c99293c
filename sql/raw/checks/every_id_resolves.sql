-- Ids that lead nowhere, of all relation columns of one mirror whose target is mirrored too. Read only.
-- A template: table, references and targets are composed from the specs, identifiers quoted (odoo_apn_assets/raw_quality.py).
-- Result: one row per column that holds any id: column, ids checked, ids without a live target row, of those the ids whose
-- target is mirrored but marked as gone, the first ten as "id -> missing id". One scan of the table, whatever its columns.
with held as materialized (
    select r.column_name, r.target_id, count(*) as uses, min(t.id) as example
    from {table} as t
    cross join lateral (values {references}) as r (column_name, target_id)
    where t._deleted_at is null and r.target_id is not null
    group by r.column_name, r.target_id
), resolved as (
    {targets}
)
select column_name, sum(uses)::bigint, coalesce(sum(uses) filter (where not live), 0)::bigint,
    coalesce(sum(uses) filter (where not live and known), 0)::bigint,
    (array_agg(example || ' -> ' || target_id order by example, target_id) filter (where not live))[1:10]
from resolved
group by column_name
order by column_name
