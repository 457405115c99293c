-- Valid rows that lose against another row of their file become rejected ones. Result: their number.
with rejected as (
    update commerce.staged_rows s
    set verdict = 'rejected', codes = l.codes, fields = l.fields, messages = l.messages, fixes = l.fixes
    from losers l
    where s.upload_id = %(upload_id)s and s.row_number = l.row_number and s.verdict = 'valid'
    returning 1
)
select count(*) from rejected;
