-- An upload was undone, and how many products that concerned. Once per upload.
update commerce.upload_history
set metadata = coalesce(metadata, '{}') || jsonb_build_object(
    'undone_at', current_timestamp, 'restored', %(restored)s::integer, 'removed', %(removed)s::integer
)
where upload_id = %(upload_id)s
