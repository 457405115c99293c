-- The working table of one transformation of core.aws_accounts: which accounts to look at. `source_key` is an Odoo id, or
-- "apn_end_user <id>"; `account_id` is what CORE holds. One of them is null where only the other side is known.
create temporary table affected (source_key text unique, account_id text) on commit drop
