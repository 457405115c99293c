-- The row of a run, written before anything else of it. Key: execution_id. May be re-run: the first step of a run opens it.
insert into fullbay.ingestion_metadata (execution_id, start_time, status, api_endpoint, environment)
values (%(execution_id)s, current_timestamp, 'RUNNING', %(api_endpoint)s, %(environment)s)
on conflict (execution_id) do nothing
