-- The working table of one transformation of core.odoo_opportunities: which leads to look at.
create temporary table affected (source_key integer primary key) on commit drop
