-- Analysts read the whitelist and the three views (granted beside them): not vendors' tax numbers and addresses, nor rejected rows.
-- The writer's rights come from the schema's default privileges.
grant usage on schema commerce to analyst;
grant select on commerce.product_categories to analyst;
