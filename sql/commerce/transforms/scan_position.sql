-- Where the listing of a prefix goes on; locked, so that two ticks do not list the same part.
insert into commerce.upload_scans as s (bucket, prefix)
values (%(bucket)s, %(prefix)s)
on conflict (bucket, prefix) do update set scanned_at = s.scanned_at
returning key_marker, version_marker;
