-- Settings for writing many products, until the transaction ends. The words of a product go to the search index in batches of 64 MB:
-- at the default of 4 MB sorting them in took two fifths of the time of an upload. Autovacuum sorts in what is left.
set local gin_pending_list_limit = '64MB';
set local work_mem = '64MB'
