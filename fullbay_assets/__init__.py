"""Code location: the Fullbay API -> raw invoices -> line items -> summaries.

Importing this package does nothing: no network, no environment, no clock, no SQL.
"""
