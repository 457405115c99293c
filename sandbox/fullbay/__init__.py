"""The sandbox's Fullbay: generated invoices and an HTTP server that behaves like the real API.

Belongs here: whatever stands in for the source system. Nothing here is imported by the code locations, and nothing
here imports them: client and server meet only over HTTP.

`invoices` generates (`catalogue`, `parties`, `oddities`, `money` are its parts), `fixtures` holds written-out cases,
`totals` re-computes an edited invoice, `overlay` keeps edits, `server` serves and plays failures.
"""
