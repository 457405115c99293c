-- Whether a vendor may upload: his status, no row when he is unknown.
select status from commerce.vendors where vendor_id = %(vendor_id)s;
