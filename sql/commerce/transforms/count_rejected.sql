-- Rejected rows of an upload: by the rules, and by the catalogue. Read only.
select
    (select count(*) from commerce.staged_rows where upload_id = %(upload_id)s and verdict = 'rejected')
    + (select count(*) from commerce.row_outcomes where upload_id = %(upload_id)s and verdict = 'rejected')
