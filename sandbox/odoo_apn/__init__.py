"""The two source systems of the sandbox: an Odoo 15 and an APN database with generated, linked, imperfect data.

`schema` says what the tables are, `words` and `expressions` what values look like, `world` what the two databases tell
about the same companies, accounts and deals, `odoo` and `apn` fill the tables, `build` makes a whole database and its
read-only login, `edits` changes one afterwards. Everything is one seed's doing: no clock, no random numbers.
"""
