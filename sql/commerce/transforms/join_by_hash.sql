-- No nested loops until the transaction ends: for statements that read many rows of one upload. What the planner knows of staged rows
-- is about uploads that are gone, so it expects one row and compares each with each: 200,000 rows took more than ten minutes.
set local enable_nestloop = off
