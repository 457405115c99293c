-- The vendor of a held upload was told that it waits, also when somebody has decided meanwhile.
update commerce.upload_objects
set file_facts = coalesce(file_facts, '{}')
    || jsonb_build_object('held_answer', %(answer)s::jsonb, 'held_answered_at', current_timestamp)
where object_id = %(object_id)s;
