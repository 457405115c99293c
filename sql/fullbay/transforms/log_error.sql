-- One error, redacted by the caller, open until somebody resolves it. Appends.
select fullbay.log_error(
    %(execution_id)s, %(level)s, %(category)s, %(message)s, %(type)s, %(code)s, %(context)s::jsonb, %(trace)s,
    null::varchar, null::inet
)
