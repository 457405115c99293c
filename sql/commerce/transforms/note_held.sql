-- Why an upload waits for release. May be re-run.
update commerce.upload_history
set metadata = coalesce(metadata, '{}') || jsonb_build_object('held', %(reason)s::text)
where upload_id = %(upload_id)s and metadata ->> 'held' is distinct from %(reason)s
