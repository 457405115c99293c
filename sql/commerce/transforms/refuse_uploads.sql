-- A held upload ends: it is completed and answered as one whose rows were all rejected. Result: a row when it was held.
update commerce.upload_objects
set stage = 'applied', requested_at = null, file_facts = coalesce(file_facts, '{}') || jsonb_build_object('refusal', %(reason)s::text)
where upload_id = %(upload_id)s and stage = 'held'
returning object_id;
