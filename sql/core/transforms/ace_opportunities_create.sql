-- The working table of one transformation of core.ace_opportunities: which APN opportunities to look at.
create temporary table affected (source_key text primary key) on commit drop
