-- How many staged rows the mirror had marked as deleted.
select count(*) from mirror_stage s join {mirror} m on m.id = s.id where m._deleted_at is not null;
