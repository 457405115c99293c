"""The assets of the Odoo and APN location."""
