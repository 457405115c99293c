-- Every APN opportunity to look at: those in RAW, in CORE and in quarantine. Fills `affected`. Key: source_key.
insert into affected (source_key)
select id from raw.apn_opportunity where _deleted_at is null
union select source_id from core.ace_opportunities
union select source_id from ops.quarantine
where stage = 'core' and table_name = 'core.ace_opportunities' and closed_at is null
