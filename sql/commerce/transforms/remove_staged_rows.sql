-- The staged rows of an upload that was answered, or is to be staged anew, and what became of them. Counts the rows. May be re-run.
delete from commerce.row_outcomes where upload_id = %(upload_id)s;
update commerce.upload_history set metadata = metadata - 'applied' where upload_id = %(upload_id)s and metadata ? 'applied';
delete from commerce.staged_rows where upload_id = %(upload_id)s
