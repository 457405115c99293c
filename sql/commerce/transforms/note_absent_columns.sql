-- The optional columns that a file lacks: its products keep theirs. Key: upload_id; may be re-run.
update commerce.upload_history
set metadata = coalesce(metadata, '{}') || jsonb_build_object('absent_columns', to_jsonb(%(absent)s::text[]))
where upload_id = %(upload_id)s
