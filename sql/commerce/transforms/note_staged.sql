-- What was staged: the header of the file, the number of its rows, and the optional columns that it lacks: its products keep theirs.
-- Key: upload_id; may be re-run.
update commerce.upload_history
set metadata = coalesce(metadata, '{}') || jsonb_build_object(
    'header', to_jsonb(%(header)s::text[]), 'staged', %(rows)s::integer, 'absent_columns', to_jsonb(%(absent)s::text[])
)
where upload_id = %(upload_id)s
