-- Changed documents take the place of the stored ones and wait for their lines. Key: fullbay_invoice_id. May be re-run.
update fullbay.fullbay_raw_data as raw
set raw_json_data = incoming.raw_json_data,
    content_hash = incoming.content_hash,
    invoice_date = incoming.invoice_date,
    shop_key = incoming.shop_key,
    version = raw.version + 1,
    ingestion_timestamp = current_timestamp,
    processed = false,
    processing_errors = null
from incoming_raw as incoming
where raw.fullbay_invoice_id = incoming.fullbay_invoice_id
