-- A link was anchored: (whether that is news). Re-runnable.
select shoppulse.audit_anchored(%(tenant)s, %(seq)s, decode(%(hash)s, 'hex'))
