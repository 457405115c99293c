"""Code location: an AWS partner's Odoo and APN databases, mirrored into RAW and named in CORE."""
