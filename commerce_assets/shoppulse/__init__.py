"""ShopPulse: analytics of many tenants in one database, in which nobody sees what is not theirs.

Belongs here: what is pure Python or a command of that: tokens, set-up, metrics' registry, tenants' files.
Does not belong here: assets and checks (beside those of the location), SQL (`sql/shoppulse/`), anything of Dagster.
"""
