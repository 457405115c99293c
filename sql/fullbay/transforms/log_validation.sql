-- One rule held against a number of invoices. Grain: one row per rule and batch. Appends.
select fullbay.log_business_validation(
    %(execution_id)s, %(rule)s, %(description)s, %(impact)s, %(validated)s, %(validated)s - %(failed)s, %(failed)s,
    round(100.0 * (%(validated)s - %(failed)s) / greatest(%(validated)s, 1), 2), %(records)s::jsonb, %(reasons)s::jsonb,
    %(corrected)s, %(review)s, false
)
