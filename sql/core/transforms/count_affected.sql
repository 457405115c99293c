-- How many rows are to be looked at, after telling the planner. Result: one row.
analyze affected;
select count(*) from affected
