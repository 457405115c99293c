-- One row per upload that waits for release: why, and what becomes of its rows when it is released. Read only.
create or replace view commerce.held_uploads as
select
    o.upload_id,
    o.vendor_id,
    h.file_name,
    o.last_modified as uploaded_at,
    h.metadata ->> 'held' as reason,
    (o.file_facts #>> '{after_release,accepted}')::integer as would_be_accepted,
    (o.file_facts #>> '{after_release,updated}')::integer as would_be_updated,
    (o.file_facts #>> '{after_release,unchanged}')::integer as would_be_unchanged,
    (o.file_facts #>> '{after_release,rejected}')::integer as would_be_rejected,
    (o.file_facts ->> 'held_answered_at')::timestamptz as vendor_told_at
from commerce.upload_objects as o
join commerce.upload_history as h on h.upload_id = o.upload_id
where o.stage = 'held';
grant select on commerce.held_uploads to analyst;
