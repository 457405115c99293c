"""What the three code locations share: Postgres, AWS, HTTP, settings, leases and the failure vocabulary.

Importing this package does nothing: no network, no environment, no clock, no SQL.
"""
