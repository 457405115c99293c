-- Each source row stands once, and each open quarantine row is of a source row that CORE does not have. Result: one row. Read only.
with keys as (
    select account_id::text as key from core.aws_accounts

), double as (
    select key from keys group by key having count(*) > 1
)
select (select count(*) from keys), (select count(*) from double), (select count(distinct key) from keys),
    (select count(*) from keys), (select (array_agg(key order by key))[1:10] from double)
