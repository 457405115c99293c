-- The rows that ask for a SKU which another product has now, in the temporary table catalogue_claims. Grain and key: row_number. After
-- lock_skus, so that it is still so when the row is written. May be re-run. With statistics: without them each claim was looked up
-- among all rows of the file, and 2,000 of them in 200,000 rows took 25 s.
drop table if exists pg_temp.catalogue_claims;
create temporary table catalogue_claims on commit drop as
select
    plan.row_number,
    plan.product_id,  -- null: a new product
    p.product_id as holder_id,
    exists (
        select
        from catalogue_plan as mover
        where mover.product_id = p.product_id and mover.verdict = 'updated' and mover.sku <> mover.sku_before
    ) as given_up  -- the holder has another SKU in this upload
from catalogue_plan as plan
join commerce.products as p on p.sku = plan.sku and p.product_id is distinct from plan.product_id
where plan.verdict in ('accepted', 'updated') and plan.sku is distinct from plan.sku_before;
create index on catalogue_claims (holder_id);
analyze catalogue_claims
