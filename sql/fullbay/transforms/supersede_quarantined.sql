-- Held versions that a stored one has overtaken: nothing is left to replay. With a shop, those it delivered. May be re-run.
update fullbay.invoice_quarantine
set resolved_at = current_timestamp, resolution = 'SUPERSEDED'
where fullbay_invoice_id = any(%(ids)s) and stage = any(%(stages)s) and resolved_at is null
    and (%(shop_key)s::text is null or shop_key = %(shop_key)s)
