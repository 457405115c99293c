-- The staged rows of an upload that was answered, or is to be staged anew. May be re-run.
delete from commerce.staged_rows where upload_id = %(upload_id)s
