-- Rows of a file that lose against another row of it. Temporary, emptied for each file.
create temporary table if not exists losers (row_number integer, codes text[], fields text[], messages text[], fixes text[])
on commit drop;
