-- The rows of a held upload that would have been taken are rejected; the others keep their errors. May be re-run.
update commerce.staged_rows
set verdict = 'rejected',
    codes = array[%(code)s::text],
    fields = array['']::text[],
    messages = array['the upload was refused: ' || %(reason)s::text],
    fixes = array['Put right what the reason names and upload the rows again.']
where upload_id = %(upload_id)s and verdict = 'valid'
