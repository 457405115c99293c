-- Rows of an upload with one verdict.
select count(*) from commerce.staged_rows where upload_id = %(upload_id)s and verdict = %(verdict)s;
