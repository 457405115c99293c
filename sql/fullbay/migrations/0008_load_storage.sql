-- Storage of two tables as a load needs it. No data changes; rows that are there already stay as they are.

-- A quarter of the lines is wider than 2 kB because of the notes that they repeat. Compressing those took Postgres a tenth of
-- the time of storing lines and saved little: a line stays whole as long as it fits into a page.
alter table fullbay.fullbay_line_items set (toast_tuple_target = 8160);

-- A header is written when its document is stored and marked reconciled when its lines are: with room in its page that
-- update leaves the four indexes alone.
alter table fullbay.invoice_headers set (fillfactor = 50);
