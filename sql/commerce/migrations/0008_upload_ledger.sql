-- Which objects vendors have uploaded and how far each has come: the work list of the onboarding runs.

-- One row per version of an object under the upload prefix. A bucket without versions has the version "null"; an overwrite shows in
-- etag and time then. The stage moves in the transaction of the work it names, so a killed run is taken up where it was.
create table commerce.upload_objects (
    object_id bigint generated always as identity primary key,
    bucket text not null,
    object_key text not null,
    version_id text not null,
    etag text not null,
    size_bytes bigint not null,
    last_modified timestamptz not null,
    stage text not null default 'seen',
    vendor_id varchar(50), -- from path or name; null while it is not known
    upload_id varchar(100) unique references commerce.upload_history (upload_id) on delete restrict,
    failure_code text, -- why the whole file was refused
    failure_message text,
    file_facts jsonb, -- header, dialect, encoding: what the answer needs to speak the vendor's language
    released_at timestamptz, -- a held upload was let through
    attempts integer not null default 0, -- runs that were asked for
    requested_at timestamptz, -- when the last one was
    seen_at timestamptz not null default current_timestamp,
    finished_at timestamptz,
    constraint upload_objects_stage_known check (stage in (
        'seen', 'received', 'recorded', 'validated', 'held', 'applied', 'completed', 'answered', 'refused', 'withdrawn')),
    unique (bucket, object_key, version_id, etag, last_modified)
);
create index idx_upload_objects_open on commerce.upload_objects (stage, last_modified, object_id)
    where stage not in ('answered', 'refused', 'withdrawn');

-- Where the listing of a prefix goes on: one row per prefix, both markers null at its beginning.
create table commerce.upload_scans (
    bucket text not null,
    prefix text not null,
    key_marker text,
    version_marker text,
    scanned_at timestamptz not null default current_timestamp,
    primary key (bucket, prefix)
);
