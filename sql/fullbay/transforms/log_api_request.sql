-- One HTTP call, secrets masked by the caller. Appends.
select fullbay.log_api_request(
    %(execution_id)s, %(endpoint)s, %(method)s, null::jsonb, %(params)s::jsonb, null::text, %(status_code)s,
    %(headers)s::jsonb, %(size)s, %(milliseconds)s, %(error)s, %(error_type)s, %(retry_count)s
)
