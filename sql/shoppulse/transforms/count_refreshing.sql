-- How many tenant-days this transaction has taken. One row.
select count(*) from refreshing
