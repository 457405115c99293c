-- The bytes of one held document. Key: id. Read only.
select payload from fullbay.invoice_quarantine where id = %(id)s
