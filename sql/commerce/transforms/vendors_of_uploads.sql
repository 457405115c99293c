-- Whose some uploads are. Read only.
select upload_id, vendor_id from commerce.upload_history where upload_id = any(%(upload_ids)s);
