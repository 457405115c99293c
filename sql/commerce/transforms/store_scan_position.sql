-- Where the next tick goes on; null: from the beginning.
update commerce.upload_scans
set key_marker = %(key_marker)s, version_marker = %(version_marker)s, scanned_at = current_timestamp
where bucket = %(bucket)s and prefix = %(prefix)s;
