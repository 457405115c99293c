"""Attacks on the isolation of tenants that must fail, each through a transaction pooler that hands connections on.

Two rooms: the application role with the rights it has, and the same role with every right on the base tables, where row
security has to hold alone. T001 is the attacker's own tenant, T002 the other one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import io
import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.errors
import pytest

from commerce_assets.shoppulse import tokens
from tests.pooler import TransactionPooler, WireClient, closing_pooler
from tests.shoppulse import KEY, SETTINGS, Pooled, entered, refusal, rows, run, token_for

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from sandbox.postgres import PostgresServer

ME = ("T001", "U101")
SEES = "select shoppulse.access_tenant(), (select count(*) from shoppulse.orders)"
ALL_SETTINGS = " union all ".join(f"select '{name}', current_setting('{name}')" for name in SETTINGS)
BASE_TABLES = (
    *("tenants", "users", "orders", "fulfillment", "marketing_campaigns", "role_metric_visibility"),
    *("governance_rules", "audit_logs", "tenant_settings", "order_costs"),
)


@pytest.fixture
def granted(pooled: Pooled) -> Pooled:
    """The application role may do everything with the base tables, by grants that the project does not give."""
    with pooled.direct.connection(pooled.owner.user) as owner, owner:
        for table in BASE_TABLES:
            # What row security governs: it does not govern TRUNCATE, REFERENCES and TRIGGER.
            run(
                owner,
                f"grant select, insert, update, delete on shoppulse.{table} to shoppulse_app, shoppulse_reader",
            )
        run(owner, "grant usage on all sequences in schema shoppulse to shoppulse_app")
    return pooled


@pytest.fixture
def attacker(granted: Pooled) -> Iterator[Connection]:
    """A transaction of a user of T001, after one of T002 on the same server connection; all rights on the tables."""
    with granted.connection() as victim, granted.connection() as app:
        with entered(victim, "T002", "U201"):
            assert rows(victim, "select count(*) from shoppulse.orders") == [(12,)]
        tokens.enter(app, KEY, *ME)
        yield app
        app.rollback()


def test_connections_are_really_handed_on(pooled: Pooled) -> None:
    """Otherwise the tests below would attack nothing."""
    with pooled.connection() as one, pooled.connection() as other:
        with one:
            first = rows(one, "select pg_backend_pid()")
        with other:
            assert rows(other, "select pg_backend_pid()") == first


def test_without_a_context_there_is_no_row_and_none_can_be_written(granted: Pooled) -> None:
    with granted.connection() as app, app:
        for table in BASE_TABLES:
            assert rows(app, f"select count(*) from shoppulse.{table}") == [(0,)], table
            for statement in (
                f"delete from shoppulse.{table}",
                f"update shoppulse.{table} set tenant_id = 'T001'",
            ):
                assert affected(app, statement) == 0, statement
        error = refusal(app, "insert into shoppulse.tenants (tenant_id, tenant_name) values ('T009', 'x')")
        assert isinstance(error, psycopg2.errors.InsufficientPrivilege)
        # The remains of a local setting are '', which must not be a tenant.
        run(app, "set local shoppulse.access = ''")
        assert rows(app, "select count(*) from shoppulse.orders where tenant_id = ''") == [(0,)]


def test_the_application_has_no_right_on_a_base_table_nor_on_keys_and_logins(pooled: Pooled) -> None:
    with pooled.connection() as app, entered(app, *ME):
        for table in (*BASE_TABLES, "sql_principals"):
            for statement in (
                f"select * from shoppulse.{table}",
                f"insert into shoppulse.{table} default values",
                f"update shoppulse.{table} set tenant_id = null",
                f"delete from shoppulse.{table}",
                f"truncate shoppulse.{table}",
                f"copy shoppulse.{table} to stdout",
                f"lock table shoppulse.{table} in access exclusive mode",
            ):
                assert isinstance(refusal(app, statement), psycopg2.errors.InsufficientPrivilege), statement
        for statement in (
            "select * from {}",
            "copy {} to stdout",
            "update {} set retired_at = now()",
            "truncate {}",
        ):
            error = refusal(app, statement.format("shoppulse.token_keys"))
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege), statement


SELECTS = {
    "where": "select tenant_id from shoppulse.{table} where tenant_id = 'T002'",
    "where or": "select tenant_id from shoppulse.{table} where tenant_id <> 'T001' or tenant_id is null",
    "join": "select b.tenant_id from shoppulse.{table} a join shoppulse.{table} b on b.tenant_id <> a.tenant_id",
    "outer join": "select b.tenant_id from (values ('T002')) v (t) left join shoppulse.{table} b on b.tenant_id = v.t"
    " where b.tenant_id is not null",
    "lateral": "select x.* from (values ('T002')) v (t),"
    " lateral (select tenant_id from shoppulse.{table} where tenant_id = v.t) x",
    "sub-select": "select (select max(tenant_id) from shoppulse.{table} where tenant_id = 'T002')"
    " where exists (select from shoppulse.{table} where tenant_id = 'T002')",
    "in": "select tenant_id from shoppulse.{table} where tenant_id in (select 'T002')",
    "cte": "with a as materialized (select * from shoppulse.{table}) select tenant_id from a where tenant_id > 'T001'",
    "union": "select tenant_id from shoppulse.{table} where tenant_id = 'T002'"
    " union all select tenant_id from only shoppulse.{table} where tenant_id = 'T002'",
    "having": "select tenant_id from shoppulse.{table} group by 1 having tenant_id > 'T001'",
    "window": "select t from (select lead(tenant_id) over (order by tenant_id) t from shoppulse.{table}) x"
    " where t > 'T001'",
    "sample": "select tenant_id from shoppulse.{table} tablesample bernoulli (100) where tenant_id > 'T001'",
    "whole row": "select x from shoppulse.{table} x where (x).tenant_id > 'T001' or x is null",
    "for update": "select tenant_id from shoppulse.{table} where tenant_id > 'T001' for update",
    **{
        f"{name} set in the query": "select tenant_id from shoppulse.{table}"
        f" where set_config('{name}', 'T002', true) is not null and tenant_id > 'T001'"
        for name in SETTINGS
    },
}


def in_place_of(setting: str, old: str, new: str) -> str:
    """A setting with a text in it replaced, as it stands and in hexadecimal."""
    return setting.replace(old, new).replace(old.encode().hex(), new.encode().hex())


def put(app: Connection, settings: list[tuple[Any, ...]]) -> None:
    for name, value in settings:
        run(app, "select set_config(%s, %s, true)", (name, value))


def test_no_select_shows_another_tenants_row(attacker: Connection) -> None:
    for table in BASE_TABLES:
        for way, text in SELECTS.items():
            # One transaction each: the last way destroys the context on purpose.
            run(attacker, "savepoint way")
            assert rows(attacker, text.format(table=table)) == [], (way, table)
            run(attacker, "rollback to savepoint way")
        if table != "governance_rules":
            assert rows(attacker, f"select distinct tenant_id from shoppulse.{table}") == [("T001",)], table


def test_no_write_reaches_another_tenants_row(granted: Pooled) -> None:
    before = owner_sees(granted, "T002")
    with granted.connection() as app, entered(app, *ME):
        for table in BASE_TABLES:
            assert affected(app, f"delete from shoppulse.{table} where tenant_id = 'T002'") == 0
            assert (
                affected(app, f"update shoppulse.{table} set tenant_id = 'T001' where tenant_id = 'T002'")
                == 0
            )
        for statement in (
            "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T002', 'new', '2026-01-01')",
            "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T002', 'O1', '2026-01-01')"
            " on conflict (tenant_id, order_id) do update set gross_revenue = 0",
            "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T002', 'O1', '2026-01-01')"
            " on conflict do nothing",
            "insert into shoppulse.orders select 'moved', 'T002', order_date from shoppulse.orders limit 1",
            "update shoppulse.orders set tenant_id = 'T002', order_id = 'moved' where order_id = 'O1'",
            "merge into shoppulse.orders o using (values ('T002', 'O1')) v (t, i)"
            " on o.tenant_id = v.t and o.order_id = v.i"
            " when matched then delete when not matched then insert (tenant_id, order_id, order_date)"
            " values (v.t, v.i, '2026-01-01')",
            "insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role)"
            " values ('T002', 'X', 'x@example.com', 'x', 'Admin')",
            'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
            " values ('T002', 'U201', 'region', '{}')",
            "insert into shoppulse.audit_logs (tenant_id, action, resource_type) values ('T002', 'x', 'x')",
            "insert into shoppulse.tenants (tenant_id, tenant_name) values ('T009', 'x')",
        ):
            assert isinstance(refusal(app, statement), psycopg2.errors.InsufficientPrivilege), statement
    assert owner_sees(granted, "T002") == before


def test_copy_takes_out_only_own_rows_and_brings_in_none(attacker: Connection) -> None:
    for table in BASE_TABLES:
        for source in (f"shoppulse.{table} (tenant_id)", f"(select tenant_id from shoppulse.{table})"):
            out = io.StringIO()
            with attacker.cursor() as cursor:
                cursor.copy_expert(f"copy {source} to stdout", out)
            assert set(out.getvalue().split()) <= {"T001"}
    run(attacker, "savepoint here")
    with (
        attacker.cursor() as cursor,
        pytest.raises(psycopg2.Error, match="COPY FROM not supported with row-level"),
    ):
        cursor.copy_expert(
            "copy shoppulse.orders (tenant_id, order_id, order_date) from stdin",
            io.StringIO("T002\tnew\t2026-01-01\n"),
        )
    run(attacker, "rollback to savepoint here")
    for statement in (
        "copy (select 1) to program 'true'",
        "copy (select 1) to '/dev/null'",
        "select pg_read_file('x')",
    ):
        assert isinstance(refusal(attacker, statement), psycopg2.errors.InsufficientPrivilege)


def test_no_function_takes_another_tenant_as_an_argument(pooled: Pooled) -> None:
    with pooled.connection() as app, entered(app, *ME):
        for call in (
            "administer('T002')",
            "context('T002', 'U201', 'Admin', '{orders}', '{}')",
            "enter_context('{54303032,55323031,41646d696e,7b7d,7b7d}')",
            "signed('tenant', 'T002')",
            "verified('tenant', current_setting('shoppulse.tenant'))",
            "entered_context()",
            "bound_context(true)",
            "by_metric('T002', '{orders}', '{}')",
            "user_context('T002', 'U201', true)",
            "governed_values('T002', 'U201')",
            "visible_metrics('T002', 'Finance')",
            "audit('T002', 'U201', 'a', 'b', 'c', '{}')",
            "audit('T001', 'U101', 'a', 'b', 'c', '{}')",
            "close_to_temporary_tables()",
        ):
            assert isinstance(
                refusal(app, f"select shoppulse.{call}"), psycopg2.errors.InsufficientPrivilege
            ), call


def test_functions_that_take_a_tenant_ask_whether_one_may_name_it(granted: Pooled) -> None:
    """Not being granted them is one lock; this is the other, should one of them ever be."""
    with granted.direct.connection(granted.owner.user) as owner, owner:
        run(owner, "grant execute on function shoppulse.administer(text) to shoppulse_app")
    with granted.connection() as app:
        for text in ("select shoppulse.administer('T002')", "select shoppulse.administer('T001')"):
            with app:
                assert isinstance(refusal(app, text), psycopg2.errors.InsufficientPrivilege), text
                assert rows(app, SEES) == [(None, 0)]
            with entered(app, *ME):
                assert isinstance(refusal(app, text), psycopg2.errors.InsufficientPrivilege), text
                assert rows(app, SEES) == [("T001", 12)]


def test_a_context_set_by_hand_is_worth_nothing(granted: Pooled) -> None:
    """A setting can be written by anybody, also for the whole session and so for the next client of the connection."""
    with granted.connection() as app, entered(app, *ME):
        settings = {name: str(rows(app, f"select current_setting('{name}')")[0][0]) for name in SETTINGS}
        ((mark,),) = rows(app, "select shoppulse.challenge()")
        for name, mine in settings.items():
            text = f"tests-1.{in_place_of(mine[64:].partition('.')[2], 'T001', 'T002')}"
            about = {"shoppulse.access": "access", "shoppulse.tenant": "tenant"}.get(name, "by metric")
            message = bytes.fromhex(mark) + f"{about}:{text}".encode()
            forged = (
                # As somebody could who issues tokens: their key signs no contexts.
                hmac.new(KEY.secret, message, hashlib.sha256).hexdigest() + text,
                "T002",
                '{"t": "T002", "u": "U201"}',
                in_place_of(mine, "T001", "T002"),
                # Of this very transaction, and of something else.
                *(other for other_name, other in settings.items() if other_name != name),
                "0" * 64 + mine[64:],
                mine[:64],
                mine[64:],
                mine.upper(),
                mine + " ",
                mine.replace("context-1", "tests-1"),
                mine[:64] + "x" * 100,
                "T002\x01" * 20,
                "ü" * 80,
                "x" * 3_000_000,
            )
            if name == "shoppulse.access":
                forged += (
                    in_place_of(mine, "U101", "U104"),
                    in_place_of(mine, "discount_amount", "campaign_spend_"),
                )
            for value in forged:
                for local in (True, False):
                    run(app, "savepoint here")
                    run(app, "select set_config(%s, %s, %s)", (name, value, local))
                    if name == "shoppulse.tenant":
                        assert rows(app, "select shoppulse.entered_tenant()") == [(None,)]
                    elif name == "shoppulse.access":
                        assert rows(app, SEES) == [(None, 0)]
                        assert rows(
                            app,
                            "select shoppulse.access_user(), shoppulse.access_role(), shoppulse.access_metrics(),"
                            " shoppulse.access_values('region'), shoppulse.access_narrowed('{region}')",
                        ) == [(None, None, None, [], True)]
                    else:
                        ((cells,),) = rows(app, "select shoppulse.access_by_metric()")
                        assert set(cells) == {"hidden-metric"}
                    run(app, "rollback to savepoint here")
        for name in (
            "app.tenant_id",
            "app.tenant",
            "shoppulse.tenant_id",
            "rls.tenant_id",
            "request.jwt.claims",
        ):
            run(app, "select set_config(%s, 'T002', false)", (name,))
        assert rows(app, "select distinct tenant_id from shoppulse.orders") == [("T001",)]
    with granted.connection() as app, app:
        for name, mine in settings.items():
            run(app, "select set_config(%s, %s, false)", (name, mine))
        run(app, "select set_config('app.tenant_id', 'T002', false)")
    with granted.connection() as other:
        with other:
            for name, mine in settings.items():
                assert rows(other, f"select current_setting('{name}')") == [(mine,)]  # it did stay
            assert rows(other, SEES) == [(None, 0)]
        with entered(other, "T002", "U201"):
            assert rows(other, "select distinct tenant_id from shoppulse.orders") == [("T002",)]


def test_a_context_of_another_transaction_is_worth_nothing(granted: Pooled) -> None:
    """The victim's context, taken as it stands, in the same process a moment later and in another process meanwhile."""
    with (
        granted.connection() as victim,
        granted.connection() as app,
        granted.direct.connection() as elsewhere,
    ):
        with entered(victim, "T002", "U201"):
            stolen = rows(victim, ALL_SETTINGS)
            with elsewhere:
                put(elsewhere, stolen)
                assert rows(elsewhere, SEES) == [(None, 0)]
        with app:
            put(app, stolen)
            assert rows(app, SEES) == [(None, 0)]


def test_a_prepared_statement_shows_each_tenant_its_own(granted: Pooled) -> None:
    """Left behind by the victim on the connection, planned once for all: the plan must not carry the tenant."""
    with granted.connection() as victim, granted.connection() as app:
        with entered(victim, "T002", "U201"):
            run(victim, "set plan_cache_mode = force_generic_plan")
            run(victim, "prepare every as select distinct tenant_id from shoppulse.orders")
            run(
                victim,
                "prepare of_tenant (text) as select count(*) from shoppulse.orders where tenant_id = $1",
            )
            mine = (
                "select count(*) from shoppulse.orders where tenant_id = (select shoppulse.access_tenant())"
            )
            run(victim, f"prepare mine as {mine}")
            for _ in range(7):
                assert rows(victim, "execute every") == [("T002",)]
                assert rows(victim, "execute of_tenant ('T002')") == [(12,)]
        with entered(app, *ME):
            for _ in range(7):
                assert rows(app, "execute every") == [("T001",)]
                assert rows(app, "execute of_tenant ('T002')") == [(0,)]
                assert rows(app, "execute mine") == [(12,)]
        with app:
            assert rows(app, "execute every") == []


def test_a_statement_that_a_driver_has_prepared_shows_each_tenant_its_own(
    granted: Pooled, postgres: PostgresServer
) -> None:
    """Most drivers prepare by message; in a pooler that knows no better the name is there for the next client."""
    pooler = TransactionPooler(postgres.port)
    with closing_pooler(pooler):
        through = Pooled(dataclasses.replace(granted.owner, port=pooler.port), granted.direct)
        with through.connection():
            pass  # gives the password of the one server connection
        victim, app = (WireClient(pooler.port, "shoppulse_api", granted.owner.name) for _ in range(2))
        with closing(victim), closing(app):
            for client, (tenant_id, user_id) in (
                (victim, ("T002", "U201")),
                (app, ME),
                (victim, ("T002", "U201")),
            ):
                client.simple("begin")
                (challenge,) = client.simple("select shoppulse.challenge()")
                client.simple(f"select shoppulse.enter('{tokens.issue(KEY, tenant_id, user_id, challenge)}')")
                if "every" not in client.simple("select name from pg_prepared_statements"):
                    client.simple("set plan_cache_mode = force_generic_plan")
                    client.prepare("every", "select distinct tenant_id from shoppulse.orders")
                for _ in range(6):
                    assert client.execute("every") == [tenant_id]
                client.simple("commit")
            assert app.execute("every") == []
        assert pooler.handed_on >= 3


def test_a_refused_row_does_not_say_whether_it_exists(granted: Pooled) -> None:
    """The rights are looked at before the index: same code, same words, same time whether the key is taken or not."""
    text = "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T002', %s, '2026-01-01')"
    with granted.connection() as app, entered(app, *ME):
        taken, free = refusal(app, text, ("O1",)), refusal(app, text, ("free",))
        assert taken.pgcode == free.pgcode == "42501"
        assert str(taken) == str(free)
        assert taken.diag.message_detail is None
        seconds: dict[str, list[float]] = {"O1": [], "free": []}
        for _ in range(150):
            for key, spent in seconds.items():
                began = time.perf_counter()
                refusal(app, text, (key,))
                spent.append(time.perf_counter() - began)
        medians = [sorted(spent)[75] for spent in seconds.values()]
        assert max(medians) < 1.5 * min(medians)
        # In one's own tenant a taken key is said so, without the row.
        own = refusal(app, text.replace("T002", "T001"), ("O1",))
        assert isinstance(own, psycopg2.errors.UniqueViolation)
        assert own.diag.message_detail is None
        # A key that only the other tenant uses is free here.
        run(app, text.replace("T002", "T001"), ("O77",))


def test_no_foreign_key_finds_another_tenants_row(granted: Pooled) -> None:
    """Foreign keys are looked up without row security: only a key with the tenant in it keeps them apart."""
    with granted.direct.tenant("T002") as owner:
        run(
            owner,
            "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T002', 'THEIRS', '2026-01-01')",
        )
    with granted.connection() as app, entered(app, *ME):
        for text, theirs in (
            ("insert into shoppulse.fulfillment (tenant_id, order_id) values ('T001', %s)", "THEIRS"),
            ("insert into shoppulse.order_costs (tenant_id, order_id, cost) values ('T001', %s, 1)", "THEIRS"),
            ("insert into shoppulse.governance_rules (tenant_id, user_id, dimension, \"values\")"
             " values ('T001', %s, 'region', '{}')", "U201"),
            ("update shoppulse.fulfillment set order_id = %s where order_id = 'O1'", "THEIRS"),
        ):  # fmt: skip
            exists, missing = refusal(app, text, (theirs,)), refusal(app, text, ("NOBODYS",))
            assert isinstance(exists, psycopg2.errors.ForeignKeyViolation), text
            assert str(exists).replace(theirs, "?") == str(missing).replace("NOBODYS", "?")


def test_nothing_can_be_built_that_keeps_or_shadows_rows(pooled: Pooled) -> None:
    """A temporary view in the name of ours would be read by the next client of the connection."""
    with pooled.connection() as app, entered(app, *ME):
        for statement in (
            "create temporary table orders (tenant_id text)",
            "create temporary view orders as select 1",
            "create temporary sequence s",
            "create function pg_temp.f() returns int language sql return 1",
            "create table shoppulse.kept (x int)",
            "create view shoppulse.kept as select 1",
            "create materialized view shoppulse.kept as select 1",
            "create function shoppulse.f() returns int language sql return 1",
            "create table public.kept (x int)",
            "create function public.sha256(bytea) returns bytea language sql return ''::bytea",
            "create schema mine",
            "create policy mine on shoppulse.orders using (true)",
            "alter table shoppulse.orders no force row level security",
            "create trigger mine before insert on shoppulse.orders for each row execute function"
            " shoppulse.update_updated_at_column()",
        ):
            assert isinstance(refusal(app, statement), psycopg2.errors.InsufficientPrivilege), statement


def test_a_changed_search_path_changes_no_function_of_ours(granted: Pooled) -> None:
    """Somebody with a schema of his own puts functions and operators of the built-in names before the built-in ones."""
    with granted.direct.connection(granted.owner.user) as owner, owner:
        run(
            owner,
            """
            create schema evil;
            grant usage on schema evil to public;
            create function evil.sha256(bytea) returns bytea language sql immutable return '\\x00'::bytea;
            create function evil.current_setting(text, boolean) returns text language sql stable
            return repeat('0', 64) || 'T002';
            create function evil.encode(bytea, text) returns text language sql immutable return repeat('0', 64);
            create function evil.pg_has_role(name, name, text) returns boolean language sql stable return true;
            create function evil.always(bytea, bytea) returns boolean language sql immutable return true;
            create function evil.always(text, text) returns boolean language sql immutable return true;
            create operator evil.= (leftarg = bytea, rightarg = bytea, function = evil.always);
            create operator evil.= (leftarg = text, rightarg = text, function = evil.always);
            """,
        )
    with granted.connection() as app, entered(app, *ME):
        run(app, "set local search_path = evil, pg_catalog, shoppulse")
        assert rows(app, "select shoppulse.access_tenant()") == [("T001",)]
        assert rows(app, "select distinct tenant_id from shoppulse.orders") == [("T001",)]
        token = tokens.issue(tokens.TokenKey("tests-1", b"x" * 32), "T002", "U201", "")
        assert rows(app, "select shoppulse.try_enter(%s)", (token,)) == [(False,)]
        run(
            app,
            "select set_config('shoppulse.tenant', repeat('0', 64) || 'context-1.T002', true)",
        )
        assert rows(app, SEES) == [(None, 0)]
        assert isinstance(
            refusal(app, "select shoppulse.administer('T002')"), psycopg2.errors.InsufficientPrivilege
        )


def test_leaky_functions_and_operators_see_only_own_rows(granted: Pooled) -> None:
    """A predicate that is cheaper than the policy's would be put first, if row security were no barrier."""
    with granted.direct.connection(granted.owner.user) as owner, owner:
        run(
            owner,
            """
            create function public.peek(p_text text) returns boolean language plpgsql cost 0.0000001 as $f$
            begin
                raise notice 'peeked %', p_text;
                return true;
            end $f$;
            create function public.peek_at(p_text text, p_other text) returns boolean
            language plpgsql cost 0.0000001 as $f$
            begin
                raise notice 'peeked %', p_text;
                return true;
            end $f$;
            create operator public.?? (leftarg = text, rightarg = text, function = public.peek_at);
            """,
        )
    with granted.connection() as app, entered(app, *ME):
        for table in BASE_TABLES:
            for predicate in ("public.peek(tenant_id)", "tenant_id::text operator(public.??) 'x'"):
                del app.notices[:]
                run(app, f"select from shoppulse.{table} where {predicate}")
                assert {notice.split()[-1] for notice in app.notices} <= {"T001"}, table
            run(
                app,
                f"select 1 / (tenant_id = 'T001')::int from shoppulse.{table} where 1 / (tenant_id = 'T001')::int > 0",
            )
        assert rows(app, "select tablename from pg_stats where schemaname = 'shoppulse'") == []


def test_no_role_can_be_taken_on_inside_a_session(granted: Pooled) -> None:
    with granted.connection() as app, entered(app, *ME):
        others = (
            "shoppulse_owner",
            "shoppulse_reader",
            "shoppulse_maintenance",
            "commerce_writer",
            "postgres",
            "reader_two",
        )
        for role in (*others, granted.owner.user):
            for statement in (
                f"set role {role}",
                f"set local role {role}",
                f"set session authorization {role}",
            ):
                assert isinstance(refusal(app, statement), psycopg2.errors.InsufficientPrivilege), statement
        for statement in (
            "set session_replication_role = replica",
            "alter role shoppulse_api bypassrls",
            "alter role shoppulse_api set shoppulse.access = 'x'",
            "grant shoppulse_owner to shoppulse_api",
            "alter function shoppulse.access_tenant() owner to shoppulse_api",
        ):
            assert isinstance(refusal(app, statement), psycopg2.errors.InsufficientPrivilege), statement
        for statement in (
            "set role shoppulse_app",
            "set role none",
            "reset role",
            "set session authorization default",
        ):
            run(app, statement)
            assert rows(app, "select distinct tenant_id from shoppulse.orders") == [("T001",)]
        run(app, "set local row_security = off")
        error = refusal(app, "select count(*) from shoppulse.orders")
        assert isinstance(error, psycopg2.errors.InsufficientPrivilege)


STRANGE = {
    "quote": "T001' or '1'='1",
    "double quote": 'T001" or "',
    "statement": "T001'; drop table shoppulse.orders; --",
    "dollar": "$$T002$$",
    "percent": "%s%%(x)s",
    "backslash": "\\' or true --",
    "blank": " ",
    "empty": "",
    "wild card": "%",
    "very long": "T002" * 1000,
    "megabyte": "T" * 1_000_000,
    "letters": "T\u0660\u0660\u0662",
    "line": "T001\nT002",
    "json": 'T001", "t": "T002',
    "surrogate": "T001\ud800",
    "nul": "T002\x00",
}


def test_a_strange_tenant_is_no_tenant(granted: Pooled) -> None:
    with granted.connection() as app:
        for strange, value in STRANGE.items():
            for tenant_id, user_id in ((value, "U201"), ("T001", value)):
                with app:
                    token = token_for(app, tenant_id, user_id)
                    assert rows(app, "select shoppulse.try_enter(%s)", (token,)) == [(False,)], strange
                    assert rows(app, SEES) == [(None, 0)], strange
            if strange in ("nul", "surrogate"):  # which the driver refuses to send
                continue
            with entered(app, *ME):
                count = "select count(*) from shoppulse.orders where tenant_id = %s"
                assert rows(app, count, (value,)) == [(0,)], strange
                put(app, [(name, value) for name in SETTINGS])
                assert rows(app, SEES) == [(None, 0)], strange


def bad_tokens(app: Connection) -> dict[str, str | None]:
    """Tokens for T002 that must not be believed."""
    ((challenge,),) = rows(app, "select shoppulse.challenge()")
    good = tokens.issue(KEY, "T002", "U201", challenge)
    version, key_id, claims, signature = good.split(".")
    mine = tokens.issue(KEY, *ME, challenge).split(".")
    return {
        "null": None,
        "empty": "",
        "no token": "T002",
        "other key": tokens.issue(tokens.TokenKey("tests-1", b"k" * 32), "T002", "U201", challenge),
        "unknown key": tokens.issue(tokens.TokenKey("tests-9", KEY.secret), "T002", "U201", challenge),
        "the context's key": tokens.issue(
            tokens.TokenKey("context-1", KEY.secret), "T002", "U201", challenge
        ),
        "my signature": f"{version}.{key_id}.{claims}.{mine[3]}",
        "my claims changed": ".".join((*mine[:2], mine[2].replace(b"T001".hex(), b"T002".hex()), mine[3])),
        "cut": good[:-1],
        "longer": good + "0",
        "no signature": f"{version}.{key_id}.{claims}.",
        "other version": "v2" + good[2:],
        "upper case": f"{version}.{key_id}.{claims.upper()}.{signature}",
        "expired": tokens.issue(KEY, "T002", "U201", challenge, lifetime=-1),
        "too long-lived": tokens.issue(KEY, "T002", "U201", challenge, lifetime=901),
        "other transaction": tokens.issue(KEY, "T002", "U201", challenge[::-1]),
        "no transaction": tokens.issue(KEY, "T002", "U201", ""),
        "inactive user": tokens.issue(KEY, "T002", "U205", challenge),
        "user of another tenant": tokens.issue(KEY, "T002", "U101", challenge),
        "no such tenant": tokens.issue(KEY, "T009", "U201", challenge),
        "huge": "v1.tests-1." + "00" * 2_000_000 + "." + "0" * 64,
    }


def test_no_bad_token_enters_and_all_are_refused_in_the_same_words(granted: Pooled) -> None:
    words = set()
    with granted.connection() as app, app:
        for what, token in bad_tokens(app).items():
            error = refusal(app, "select shoppulse.enter(%s)", (token,))
            words.add(
                (error.pgcode, error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
            )
            assert rows(app, "select shoppulse.try_enter(%s)", (token,)) == [(False,)], what
            assert rows(app, SEES) == [(None, 0)]
    assert len(words) == 1


@pytest.mark.parametrize(
    "setting",
    [
        "standard_conforming_strings = off",
        "bytea_output = escape",
        "array_nulls = off",
        "transform_null_equals = on",
        "timezone = 'Pacific/Apia'",
        "datestyle = 'German'",
        "client_encoding = 'LATIN1'",
        "extra_float_digits = 0",
    ],
)
def test_no_setting_of_the_session_makes_a_forged_token_or_context_good(
    granted: Pooled, setting: str
) -> None:
    """Functions are parsed at their first call, with the caller's settings.

    With standard_conforming_strings off the dots in a pattern were any character: a token of three parts passed, its
    missing signature compared as null, and blanks in its place made the claims whole: anybody entered any tenant.
    """
    with granted.direct.connection() as app, app:
        run(app, f"set {setting}")
        ((challenge,),) = rows(app, "select shoppulse.challenge()")
        version, key_id, claims, _ = tokens.issue(tokens.new_key("tests-1"), "T002", "U201", challenge).split(
            "."
        )
        for between in (" ", "\n", "\t", "_", "0", ""):
            for signature in ("20" * 32, "", "0" * 64):
                forged = f"{version}.{key_id}.{claims}{between}{signature}"
                assert rows(app, "select shoppulse.try_enter(%s)", (forged,)) == [(False,)]
        assert rows(app, SEES) == [(None, 0)]
        run(app, "select shoppulse.enter(%s)", (token_for(app, *ME),))
        assert rows(app, SEES) == [("T001", 12)]
        put(app, [(name, in_place_of(str(mine), "T001", "T002")) for name, mine in rows(app, ALL_SETTINGS)])
        assert rows(app, SEES) == [(None, 0)]


def test_a_setting_left_behind_does_not_turn_the_next_clients_values_into_statements(pooled: Pooled) -> None:
    """A driver quotes by what it knows of its own session; the pooler has given it another one's."""
    value = "\\' union select 'injected"
    with pooled.connection() as app:
        with app:
            run(app, "set standard_conforming_strings = off")
        with pooled.connection() as victim, entered(victim, "T002", "U201"):
            assert rows(victim, "show standard_conforming_strings") == [("on",)]
            assert rows(victim, "select %s", (value,)) == [(value,)]


def test_an_overheard_token_enters_nothing(granted: Pooled) -> None:
    """pg_stat_activity shows a login the statements of all its sessions, and in them the tokens of other tenants."""
    with granted.connection() as victim, granted.direct.connection() as spy:
        with victim:
            token = token_for(victim, "T002", "U201")
            run(victim, "select shoppulse.enter(%s)", (token,))
            with spy:
                overheard = rows(
                    spy, "select query from pg_stat_activity where query like %s", (f"%{token}%",)
                )
                assert overheard != []
                assert rows(spy, "select shoppulse.try_enter(%s)", (token,)) == [(False,)]
        with spy:
            assert rows(spy, "select shoppulse.try_enter(%s)", (token,)) == [(False,)]
        with victim:  # on the very same server connection, in its next transaction
            assert rows(victim, "select shoppulse.try_enter(%s)", (token,)) == [(False,)]


def test_a_transaction_that_has_entered_a_tenant_enters_no_other(granted: Pooled) -> None:
    with granted.connection() as app, entered(app, *ME):
        for tenant_id, user_id in (("T002", "U201"), ("T001", "U104")):
            token = token_for(app, tenant_id, user_id)
            assert rows(app, "select shoppulse.try_enter(%s)", (token,)) == [(False,)]
            assert isinstance(
                refusal(app, "select shoppulse.enter(%s)", (token,)), psycopg2.errors.InsufficientPrivilege
            )
            assert rows(app, "select shoppulse.access_tenant(), shoppulse.access_user()") == [ME]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_context_taken_away_within_a_query_lifts_no_narrowing(granted: Pooled, name: str) -> None:
    """The parts of a policy are asked for one after the other; whoever has no context by then is told: nothing."""
    with granted.direct.tenant("T001") as owner:
        run(
            owner,
            'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
            " values ('T001', 'U101', 'region', '{NA}')",
        )
    with granted.connection() as app:
        for text in (
            # The tenant is the first key of the index; the second one takes the context away; then comes the rest.
            "select region from shoppulse.orders"
            f" where order_id = (select 'O1' || set_config('{name}', '', true))",
            f"select distinct region from (select set_config('{name}', '', true)) s, shoppulse.orders",
            "select distinct o.region from shoppulse.orders a,"
            f" lateral (select set_config('{name}', '', true) || a.order_id) s (x), shoppulse.orders o",
            f"with s as materialized (select set_config('{name}', '', true) x)"
            " select distinct region from s, shoppulse.orders where s.x = ''",
            "select distinct region from shoppulse.fulfillment f join shoppulse.orders o using (tenant_id, order_id)"
            f" where set_config('{name}', '', true) = ''",
        ):
            with entered(app, *ME):
                run(app, "set local enable_seqscan = off")
                assert set(rows(app, text)) <= {("NA",)}, text


def test_people_with_sql_access_are_who_their_login_is(granted: Pooled) -> None:
    """No setting, no token and no role changes it; with every right on the tables."""
    with granted.connection("reader_one") as reader, granted.connection() as app:
        with entered(app, "T002", "U201"):
            stolen = rows(app, ALL_SETTINGS)
        with reader:
            for settings in (
                [(name, "") for name in SETTINGS],
                [(name, "T002") for name in SETTINGS],
                stolen,
            ):
                put(reader, settings)
                assert rows(reader, "select shoppulse.access_tenant(), shoppulse.access_user()") == [ME]
                for table in BASE_TABLES:
                    assert (
                        rows(reader, f"select tenant_id from shoppulse.{table} where tenant_id <> 'T001'")
                        == []
                    )
            assert rows(reader, "select count(*) from shoppulse.orders") == [(12,)]
            for statement in (
                "select shoppulse.enter('x')",
                "select shoppulse.administer('T002')",
                "update shoppulse.sql_principals set tenant_id = 'T002'",
                "set role shoppulse_app",
                "create temporary view orders as select 1",
            ):
                assert isinstance(refusal(reader, statement), psycopg2.errors.InsufficientPrivilege), (
                    statement
                )
    # Nor does a token, should such a login be an application's as well.
    with granted.direct.connection(granted.owner.user) as owner, owner:
        run(
            owner,
            "grant execute on function shoppulse.challenge(), shoppulse.try_enter(text) to shoppulse_reader",
        )
    with granted.connection("reader_one") as reader, reader:
        run(reader, "select shoppulse.try_enter(%s)", (token_for(reader, "T002", "U201"),))
        assert rows(reader, "select shoppulse.access_tenant(), shoppulse.access_user()") == [ME]
        for table in BASE_TABLES:
            assert rows(reader, f"select tenant_id from shoppulse.{table} where tenant_id <> 'T001'") == [], (
                table
            )
    with granted.direct.tenant("T001") as owner:
        run(owner, "update shoppulse.users set status = 'Inactive' where user_id = 'U101'")
    with granted.connection("reader_one") as reader, reader:
        for table in BASE_TABLES:
            assert rows(reader, f"select count(*) from shoppulse.{table}") == [(0,)], table


def test_the_owner_and_a_reader_who_is_bound_to_nobody_see_nothing_by_themselves(granted: Pooled) -> None:
    """Row security is forced: the functions that run as the owner are confined as well."""
    with granted.connection(granted.owner.user) as owner, owner:
        for table in BASE_TABLES:
            assert rows(owner, f"select count(*) from shoppulse.{table}") == [(0,)], table
    with granted.direct.connection(granted.owner.user) as owner, owner:
        run(owner, "delete from shoppulse.sql_principals where login = 'reader_two'")
    with granted.direct.connection("reader_two") as reader, reader:
        assert rows(reader, "select count(*) from shoppulse.orders") == [(0,)]


def affected(connection: Connection, statement: str) -> int:
    """The rows that a statement changed; none when it is refused, as on a table that is only appended to."""
    run(connection, "savepoint affected")
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except psycopg2.errors.InsufficientPrivilege:
            run(connection, "rollback to savepoint affected")
            return 0
        return int(cursor.rowcount)


def owner_sees(granted: Pooled, tenant_id: str) -> list[list[tuple[Any, ...]]]:
    """Every row of a tenant."""
    with granted.direct.tenant(tenant_id) as owner:
        return [rows(owner, f"select t::text from shoppulse.{table} t order by 1") for table in BASE_TABLES]
