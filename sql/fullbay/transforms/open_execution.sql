-- The row of a run, written before anything else of it. Key: execution_id. May be re-run: the first step of a run opens it, and a later
-- one opens it again when it was taken for killed between two steps.
insert into fullbay.ingestion_metadata as run (execution_id, start_time, status, api_endpoint, environment)
values (%(execution_id)s, current_timestamp, 'RUNNING', %(api_endpoint)s, %(environment)s)
on conflict (execution_id) do update
set status = 'RUNNING', end_time = null, error_type = null, error_message = null
where run.status = 'ERROR' and run.error_type = 'INTERRUPTED'
