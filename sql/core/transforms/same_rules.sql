-- Whether the table was last transformed by the same rules. Result: one row. Read only.
select exists (select from ops.core_state where target_table = %(target)s and rules_version = %(rules)s)
