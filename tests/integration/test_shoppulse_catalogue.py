"""What holds for every object of schema shoppulse, asked of the catalogue, so that a new table cannot be forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.shoppulse import ShopPulse, rows, run

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ROLES = ("shoppulse_owner", "shoppulse_app", "shoppulse_reader", "shoppulse_maintenance")
PRINTED = Path(__file__).resolve().parent.parent / "shoppulse_tables.txt"

# Tables with a column tenant_id, partitions included; and the conditions under which they are open to anybody else than
# the pipelines, maintenance and the owner's functions.
TENANT_TABLES = """
select c.oid::regclass::text, c.relrowsecurity and c.relforcerowsecurity,
       array(select coalesce(pg_get_expr(coalesce(p.polqual, p.polwithcheck), p.polrelid), '') from pg_policy p
             where p.polrelid = c.oid and p.polpermissive and not p.polroles <@ array[
                 'commerce_writer', 'shoppulse_maintenance', 'shoppulse_owner']::regrole[]::oid[]),
       (select count(*) from pg_policy p where p.polrelid = c.oid), pg_get_userbyid(c.relowner)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
where c.relnamespace = 'shoppulse'::regnamespace and c.relkind in ('r', 'p')
order by 1
"""


def test_row_security_is_forced_with_a_policy_on_every_table_that_has_a_tenant(shoppulse: ShopPulse) -> None:
    with shoppulse.connection(shoppulse.owner.user) as owner:
        found = rows(owner, TENANT_TABLES)
    assert len(found) >= 11
    for table, forced, conditions, policies, belongs_to in found:
        assert forced, table
        assert policies > 0, table
        for condition in conditions:
            # A login finds itself among the bound ones; there is no tenant to compare with yet.
            expected = (
                "access_tenant()",
                "entered_tenant()",
                *(["SESSION_USER"] if table == "sql_principals" else []),
            )
            assert any(name in condition for name in expected), f"{table}: {condition}"
        assert belongs_to == "shoppulse_owner", table


def test_every_unique_key_and_foreign_key_of_a_tenants_table_leads_with_the_tenant(
    shoppulse: ShopPulse,
) -> None:
    """Unique keys and foreign keys are looked up without row security, and answer with yes or no."""
    with shoppulse.connection(shoppulse.owner.user) as owner:
        led_by_something_else = rows(
            owner,
            """
            select i.indexrelid::regclass::text
            from pg_index i
            join pg_class c on c.oid = i.indrelid and c.relnamespace = 'shoppulse'::regnamespace
            join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
            where i.indisunique and i.indkey[0] <> t.attnum
            union all
            select format('%s on %s', k.conname, k.conrelid::regclass)
            from pg_constraint k
            join pg_attribute t on t.attrelid = k.conrelid and t.attname = 'tenant_id'
            left join pg_attribute f on f.attrelid = k.confrelid and f.attname = 'tenant_id'
            where k.contype = 'f' and k.connamespace = 'shoppulse'::regnamespace
              and (k.conkey[1] <> t.attnum or k.confkey[1] is distinct from f.attnum)
            """,
        )
    # Logins belong to the server, transactions too; only the owner and his functions write there.
    assert {name for (name,) in led_by_something_else} <= {"sql_principals_pkey", "audit_open_pkey"}


def test_no_role_may_pass_row_security_by_or_log_in(shoppulse: ShopPulse) -> None:
    with shoppulse.connection(shoppulse.owner.user) as owner:
        found = rows(
            owner,
            "select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication or rolcanlogin"
            " from pg_roles where rolname = any(%s)",
            (list(ROLES),),
        )
        assert dict(found) == dict.fromkeys(ROLES, False)
        # Nor is one a member of another, or of a role that owns or loads.
        assert (
            rows(
                owner,
                "select roleid::regrole::text, member::regrole::text from pg_auth_members"
                " where member = any(%s::text[]::regrole[])",
                (list(ROLES),),
            )
            == []
        )


def test_every_view_asks_with_the_rights_of_who_reads_it_and_none_is_materialised(
    shoppulse: ShopPulse,
) -> None:
    with shoppulse.connection(shoppulse.owner.user) as owner:
        found = rows(
            owner,
            "select relname, relkind, coalesce(reloptions, '{}') from pg_class"
            " where relnamespace = 'shoppulse'::regnamespace and relkind in ('v', 'm')",
        )
    for name, kind, options in found:
        assert kind == "v", name
        assert "security_invoker=true" in options or "security_invoker=on" in options, name


def test_every_function_of_the_owner_has_a_pinned_path_and_is_closed_to_the_public(
    shoppulse: ShopPulse,
) -> None:
    with shoppulse.connection(shoppulse.owner.user) as owner:
        found = rows(
            owner,
            """
            select p.oid::regprocedure::text, p.prosecdef, coalesce(p.proconfig, '{}'), pg_get_userbyid(p.proowner),
                   exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                           where a.grantee = 0),
                   p.prorettype = 'trigger'::regtype, p.proparallel
            from pg_proc p where p.pronamespace = 'shoppulse'::regnamespace
            """,
        )
    assert len(found) > 20
    for name, definer, config, belongs_to, public, is_trigger, parallel in found:
        if definer:
            assert any(
                setting in ("search_path=pg_catalog, pg_temp", 'search_path=""') for setting in config
            ), name
            assert belongs_to == "shoppulse_owner", name
            assert parallel != "s", f"{name}: a parallel worker has another process id, and no context"
        assert is_trigger or not public, name


def test_no_function_means_something_else_with_other_settings_of_the_session(shoppulse: ShopPulse) -> None:
    """Bodies are parsed with the caller's settings; a backslash in one cost the whole isolation of tenants once."""
    with shoppulse.connection(shoppulse.owner.user) as owner:
        found = rows(
            owner,
            r"""
            select oid::regprocedure::text from pg_proc
            where pronamespace = 'shoppulse'::regnamespace and strpos(prosrc, '\') > 0
              and not coalesce(proconfig, '{}') @> array['standard_conforming_strings=on']
            """,
        )
    assert found == []


def test_the_application_may_call_what_answers_for_itself_only(shoppulse: ShopPulse) -> None:
    """Each function that it may call takes who asks from the context; those below take a tenant's word for it."""
    internal = (
        "administer",
        "context",
        "signed",
        "verified",
        "enter_context",
        "entered_context",
        "bound_context",
        "by_metric",
        "audit",
        "user_context",
        "visible_metrics",
        "hmac",
    )
    with shoppulse.connection(shoppulse.owner.user) as owner:
        for role in ("shoppulse_app", "shoppulse_reader"):
            callable_by = rows(
                owner,
                "select proname from pg_proc where pronamespace = 'shoppulse'::regnamespace"
                " and has_function_privilege(%s, oid, 'execute')",
                (role,),
            )
            assert {name for (name,) in callable_by}.isdisjoint(internal)


def test_application_and_readers_have_no_right_on_what_is_delivered_and_decided(shoppulse: ShopPulse) -> None:
    base = (
        *(
            "tenants",
            "users",
            "orders",
            "fulfillment",
            "marketing_campaigns",
            "role_metric_visibility",
            "token_keys",
        ),
        *("governance_rules", "audit_logs", "tenant_settings", "order_costs", "sql_principals"),
    )
    with shoppulse.connection(shoppulse.owner.user) as owner:
        for role in (
            "shoppulse_app",
            "shoppulse_reader",
            "analyst",
            "fullbay_writer",
            "odoo_apn_writer",
            "public",
        ):
            for table in base:
                held = rows(
                    owner,
                    "select has_any_column_privilege(%(role)s, %(table)s, 'select, insert, update, references')"
                    " or has_table_privilege(%(role)s, %(table)s, 'delete, truncate, trigger')",
                    {"role": role, "table": f"shoppulse.{table}"},
                )
                assert held == [(False,)], (role, table)


def test_the_tables_are_as_published(shoppulse: ShopPulse) -> None:
    r"""What \d shows: columns, types, defaults, keys, checks, what foreign keys do on deletion, indexes, triggers.

    More may have been added behind it, such as the columns of a hash chain; nothing published may be gone or changed.
    """
    with shoppulse.connection(shoppulse.owner.user) as owner:
        found = described(owner)
    for table, published in tables_of(PRINTED.read_text(encoding="utf-8")).items():
        assert [line for line in found[table] if line in published] == published, table


PUBLISHED = (
    *("tenants", "users", "orders", "fulfillment", "marketing_campaigns", "role_metric_visibility"),
    *("governance_rules", "audit_logs"),
)
# Place of the part, place in the part, the line.
DESCRIPTION = r"""
select line from (
    select 1 as part, lpad(a.attnum::text, 5, '0') as place,
           concat(a.attname, ' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' end,
                  ' default ' || pg_get_expr(d.adbin, d.adrelid)) as line
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = %(table)s::regclass and a.attnum > 0 and not a.attisdropped
    union all
    select 2, k.contype::text || k.conname, concat(k.conname, ': ', pg_get_constraintdef(k.oid))
    from pg_constraint k
    where k.conrelid = %(table)s::regclass and k.contype <> 'n'
    union all
    select 3, c.relname, concat(c.relname, ':', substring(pg_get_indexdef(c.oid) from ' USING (.*)$'))
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = %(table)s::regclass and not i.indisunique
    union all
    select 4, t.tgname, concat(t.tgname, ':', substring(pg_get_triggerdef(t.oid) from t.tgname || '(.*)$'))
    from pg_trigger t
    where t.tgrelid = %(table)s::regclass and not t.tgisinternal
) lines
order by part, place collate "C"
"""


def described(connection: Connection) -> dict[str, list[str]]:
    """The lines of each of the eight tables, in the words of the catalogue."""
    run(connection, "set local search_path = shoppulse")
    return {
        table: [line for (line,) in rows(connection, DESCRIPTION, {"table": table})] for table in PUBLISHED
    }


def tables_of(text: str) -> dict[str, list[str]]:
    """Name and indented lines of each block of a file."""
    blocks = (block.splitlines() for block in text.strip().split("\n\n"))
    return {name: [line.strip() for line in lines] for name, *lines in blocks}
