-- Makes refreshes of the same keys of one table wait for each other until the transaction ends; null = all keys.
-- A refresh that reads in a later statement than this one sees everything that the refresh before it saw, so the last writer is right.
-- 64 buckets a table bound the number of locks; taken in ascending order, so two refreshes of one table cannot deadlock.
-- Whoever refreshes several tables in one transaction takes them in the order WORK_ORDER, DAY, MONTH, CUSTOMER, VEHICLE.
-- p_class: 7431 work orders, 7432 days, 7433 months, 7434 customers, 7435 vehicles.
create or replace function fullbay.lock_refresh_keys(p_class integer, p_keys text[]) returns void
language plpgsql as $$
declare
    v_bucket integer;
begin
    for v_bucket in
        select bucket from generate_series(0, 63) as bucket
        where p_keys is null or bucket in (select hashtext(key) & 63 from unnest(p_keys) as key)
        order by bucket
    loop
        perform pg_advisory_xact_lock(p_class, v_bucket);
    end loop;
end
$$;
