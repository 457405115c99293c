-- One processing stage of a step. Appends.
select fullbay.log_data_processing(
    %(execution_id)s, %(stage)s, %(records)s, %(batch_size)s, %(milliseconds)s, %(memory)s, %(errors)s::jsonb, %(score)s,
    %(error)s, %(error_type)s, %(affected)s::jsonb
)
