-- An invoice that cannot be stored, kept whole. Key: payload_hash and stage while unresolved; seen again = counted.
insert into fullbay.invoice_quarantine as held (
    fullbay_invoice_id, shop_key, invoice_date, stage, reason, path, value, message, payload, payload_hash,
    rule_version, source_position, execution_id
)
values (
    %(fullbay_invoice_id)s, %(shop_key)s, %(invoice_date)s, %(stage)s, %(reason)s, %(path)s, %(value)s, %(message)s,
    %(payload)s, %(payload_hash)s, %(rule_version)s, %(source_position)s, %(execution_id)s
)
on conflict (payload_hash, stage) where resolved_at is null do update set
    last_seen_at = current_timestamp,
    times_seen = held.times_seen + 1,
    reason = excluded.reason,
    path = excluded.path,
    value = excluded.value,
    message = excluded.message,
    rule_version = excluded.rule_version,
    execution_id = excluded.execution_id
returning id
