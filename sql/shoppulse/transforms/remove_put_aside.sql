-- What was put aside is not stored.
delete from pg_temp.staged s using pg_temp.put_aside p where p.row_number = s.row_number;
