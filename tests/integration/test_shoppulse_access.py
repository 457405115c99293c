"""Who the database takes a caller for: tokens and their keys, contexts, bound logins, what governance rules narrow."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import psycopg2.errors
import pytest

from commerce_assets.shoppulse import tokens
from resources.failures import PermanentError
from tests.shoppulse import KEY, ShopPulse, entered, refusal, rows, run, token_for

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

WHO = "select shoppulse.access_tenant(), shoppulse.access_user(), shoppulse.access_role(), shoppulse.access_metrics()"
FINANCE = ["discount_amount", "gross_revenue", "margin", "net_revenue"]
NOBODY = [(None, None, None, None)]


def grant_tables(shoppulse: ShopPulse) -> None:
    """Rights that the project does not give, so that row security can be seen at work."""
    with shoppulse.connection(shoppulse.owner.user) as owner, owner:
        run(owner, "grant select, insert, update, delete on all tables in schema shoppulse to shoppulse_app")


def govern(shoppulse: ShopPulse, user_id: str, **dimensions: list[str] | None) -> None:
    """Rules for a user of T001."""
    with shoppulse.tenant("T001") as owner:
        for dimension, values in dimensions.items():
            run(
                owner,
                'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
                " values ('T001', %s, %s, %s)",
                (user_id, dimension, values),
            )


def test_a_user_is_entered_for_one_transaction_and_no_longer(shoppulse: ShopPulse) -> None:
    with shoppulse.connection() as app:
        with entered(app, "T001", "U101"):
            assert rows(app, WHO) == [("T001", "U101", "Finance", FINANCE)]
        with app:
            assert rows(app, WHO) == NOBODY
        with app:
            tokens.enter(app, KEY, "T002", "U203")
            assert rows(app, WHO)[0][:3] == ("T002", "U203", "Marketing")
            app.rollback()
            assert rows(app, WHO) == NOBODY
        with app:
            assert rows(app, WHO) == NOBODY
        app.autocommit = True
        with pytest.raises(ValueError, match="turn autocommit off"):
            tokens.enter(app, KEY, "T001", "U101")


def test_entering_is_undone_with_the_savepoint_that_it_was_in(shoppulse: ShopPulse) -> None:
    with shoppulse.connection() as app:
        with app:
            run(app, "savepoint before")
            run(app, "select shoppulse.enter(%s)", (token_for(app, "T001", "U101"),))
            run(app, "rollback to savepoint before")
            assert rows(app, WHO) == NOBODY
        with entered(app, "T001", "U101"):
            run(app, "savepoint before")
            run(app, "set local shoppulse.access = 'x'")
            assert rows(app, WHO) == NOBODY
            run(app, "rollback to savepoint before")
            assert rows(app, WHO)[0][0] == "T001"


def test_a_user_can_be_entered_again_and_sees_what_has_changed_meanwhile(shoppulse: ShopPulse) -> None:
    with shoppulse.connection() as app, entered(app, "T001", "U101"):
        with shoppulse.tenant("T001") as owner:
            run(
                owner,
                "update shoppulse.role_metric_visibility set is_visible = false where metric_name = 'margin'",
            )
        assert rows(app, WHO)[0][3] == FINANCE
        tokens.enter(app, KEY, "T001", "U101")
        assert rows(app, WHO)[0][3] == [name for name in FINANCE if name != "margin"]


def test_a_tenant_can_be_entered_in_a_read_only_transaction(shoppulse: ShopPulse) -> None:
    """A reading request writes nothing, and may go to a replica."""
    with shoppulse.connection() as app:
        app.set_session(readonly=True)
        with entered(app, "T001", "U101"):
            assert rows(app, WHO)[0][0] == "T001"
        with pytest.raises(PermanentError, match="the database refused"):
            tokens.enter(app, KEY, "T001", "U105")


@pytest.mark.parametrize(
    ("gone", "user_id"),
    [
        ("update shoppulse.users set status = 'Inactive' where user_id = 'U101'", "U101"),
        ("update shoppulse.users set status = 'Deleted' where user_id = 'U101'", "U101"),
        ("update shoppulse.users set status = null where user_id = 'U101'", "U101"),
        ("update shoppulse.tenants set is_active = false", "U101"),
        ("update shoppulse.tenants set is_active = null", "U101"),
        ("select 1", "U199"),
    ],
)
def test_who_is_not_active_is_refused_and_the_refusal_is_in_his_tenants_trail(
    shoppulse: ShopPulse, gone: str, user_id: str
) -> None:
    with shoppulse.tenant("T001") as owner:
        run(owner, gone)
    with shoppulse.connection() as app:
        with pytest.raises(PermanentError, match="the database refused"):
            tokens.enter(app, KEY, "T001", user_id)
        with app:
            assert rows(app, WHO) == NOBODY
    trail = "select user_id, resource_id, details from shoppulse.audit_logs where action = 'enter_refused'"
    with shoppulse.tenant("T001") as owner:
        (found,) = rows(owner, trail)
    assert found == (
        user_id if user_id == "U101" else None,
        user_id,
        {"reason": "no active user of an active tenant", "login": "shoppulse_api"},
    )
    with shoppulse.tenant("T002") as owner:
        assert rows(owner, trail) == []


def test_an_entry_is_on_record_once_unless_the_tenant_does_not_want_it(shoppulse: ShopPulse) -> None:
    entries = "select user_id, details from shoppulse.audit_logs where action = 'enter'"
    for _ in range(2):
        with shoppulse.connection() as connection, entered(connection, "T001", "U101"):
            tokens.enter(connection, KEY, "T001", "U101")
    with shoppulse.tenant("T001") as owner:
        assert rows(owner, entries) == [("U101", {"role": "Finance", "login": "shoppulse_api"})] * 2
        run(
            owner,
            "insert into shoppulse.tenant_settings (tenant_id, audit_entries) values ('T001', false)"
            " on conflict (tenant_id) do update set audit_entries = false",
        )
    with shoppulse.connection() as connection, entered(connection, "T001", "U101"):
        pass
    with shoppulse.tenant("T001") as owner:
        assert len(rows(owner, entries)) == 2


def test_a_forged_token_writes_no_row_into_the_trail_it_names(shoppulse: ShopPulse) -> None:
    """Anybody could fill another tenant's trail."""
    forger = tokens.TokenKey(KEY.key_id, b"f" * 32)
    with shoppulse.connection() as app, pytest.raises(PermanentError, match="the database refused"):
        tokens.enter(app, forger, "T002", "U201")
    with shoppulse.tenant("T002") as owner:
        assert rows(owner, "select count(*) from shoppulse.audit_logs where action = 'enter_refused'") == [
            (0,)
        ]


def test_two_keys_are_valid_at_once_until_one_is_retired(shoppulse: ShopPulse) -> None:
    new = tokens.new_key("tests-2")
    with shoppulse.connection(shoppulse.owner.user) as owner, shoppulse.connection() as app:
        assert tokens.install_key(owner, new)
        assert not tokens.install_key(owner, new)
        with pytest.raises(PermanentError, match="a key of that name which is another one"):
            tokens.install_key(owner, tokens.new_key("tests-2"))
        for key in (KEY, new):
            with tokens.entered(app, key, "T001", "U101"):
                assert rows(app, WHO)[0][0] == "T001"
        assert tokens.retire_key(owner, KEY.key_id)
        assert not tokens.retire_key(owner, KEY.key_id)
        assert not tokens.retire_key(owner, "context-1")
        with tokens.entered(app, new, "T001", "U101"):
            assert rows(app, WHO)[0][0] == "T001"
        with pytest.raises(PermanentError, match="the database refused"):
            tokens.enter(app, KEY, "T001", "U101")


def test_a_key_is_in_no_statement_of_its_installation(shoppulse: ShopPulse) -> None:
    """Statements end up in logs and in pg_stat_activity."""
    key = tokens.new_key("tests-3")
    with (
        shoppulse.connection(shoppulse.owner.user) as owner,
        shoppulse.connection(shoppulse.owner.user) as spy,
    ):
        tokens.install_key(owner, key)
        with spy:
            seen = str(rows(spy, "select query from pg_stat_activity where datname = current_database()"))
    assert key.secret.hex() not in seen
    assert tokens._pads(key)[0].hex() not in seen
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize(
    ("rules", "orders", "deliveries", "campaigns"),
    [
        ([], 12, 12, 3),
        ([{"region": ["NA"]}], 4, 4, 0),
        ([{"region": ["NA", "EU"]}], 8, 8, 0),
        ([{"region": ["NA", "EU"], "store": ["ST001"]}], 4, 4, 0),
        ([{"store": ["ST001"]}], 6, 6, 0),
        ([{"store": ["ST001", "ST002"]}], 12, 12, 0),
        ([{"region": []}], 0, 0, 0),
        ([{"region": [], "store": ["ST001"]}], 0, 0, 0),
        ([{"region": ["NA"]}, {"region": ["NA", "EU"]}], 4, 4, 0),
        ([{"region": ["NA"]}, {"region": ["EU"]}], 0, 0, 0),
        ([{"region": ["na"]}], 0, 0, 0),
        ([{"team": ["red"]}], 0, 0, 0),
        ([{"custom": ["x"], "region": ["NA"]}], 0, 0, 0),
    ],
)
def test_governance_rules_narrow_rows_in_addition_to_the_tenant(
    shoppulse: ShopPulse,
    rules: list[dict[str, list[str] | None]],
    orders: int,
    deliveries: int,
    campaigns: int,
) -> None:
    """Values or, dimensions and; no value, or a dimension that rows do not have: nothing. No rule widens another."""
    grant_tables(shoppulse)
    for rule in rules:
        govern(shoppulse, "U101", **rule)
    with shoppulse.connection() as app:
        with entered(app, "T001", "U101"):
            counts = [
                rows(app, f"select count(*) from shoppulse.{table}")[0][0]
                for table in ("orders", "fulfillment", "order_costs", "marketing_campaigns")
            ]
        assert counts == [orders, deliveries, deliveries, campaigns]
        with entered(app, "T001", "U102"):
            assert rows(app, "select count(*) from shoppulse.orders") == [(12,)]


def test_a_null_among_the_values_of_a_rule_shows_nothing(shoppulse: ShopPulse) -> None:
    grant_tables(shoppulse)
    with shoppulse.tenant("T001") as owner:
        run(
            owner,
            'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
            " values ('T001', 'U101', 'region', array[null]::text[])",
        )
    with shoppulse.connection() as app, entered(app, "T001", "U101"):
        assert rows(
            app, "select shoppulse.access_values('region'), (select count(*) from shoppulse.orders)"
        ) == [([], 0)]


def test_a_bound_login_is_narrowed_and_sees_changes_at_once(shoppulse: ShopPulse) -> None:
    with shoppulse.connection(shoppulse.owner.user) as owner, owner:
        run(owner, "grant select on shoppulse.orders to shoppulse_reader")
    with shoppulse.connection("reader_one") as reader:
        with reader:
            assert rows(reader, WHO) == [("T001", "U101", "Finance", FINANCE)]
            assert rows(reader, "select count(*) from shoppulse.orders") == [(12,)]
        govern(shoppulse, "U101", region=["NA"])
        with reader:
            assert rows(reader, "select count(*) from shoppulse.orders") == [(4,)]
        with shoppulse.tenant("T001") as owner:
            run(owner, "update shoppulse.users set status = 'Inactive' where user_id = 'U101'")
        with reader:
            assert rows(reader, WHO) == NOBODY
            assert rows(reader, "select count(*) from shoppulse.orders") == [(0,)]


def test_workers_of_a_parallel_query_see_what_their_query_may_see(shoppulse: ShopPulse) -> None:
    """The context is bound to the process; a worker is another one, so the leader must have asked before it starts."""
    grant_tables(shoppulse)
    with shoppulse.tenant("T001") as owner:
        run(
            owner,
            "insert into shoppulse.orders (tenant_id, order_id, order_date, region)"
            " select 'T001', 'P' || n, '2026-01-01', 'NA' from generate_series(1, 5000) n",
        )
    govern(shoppulse, "U101", region=["NA"])
    with shoppulse.connection() as app, entered(app, "T001", "U101"):
        for setting in (
            "parallel_setup_cost = 0",
            "parallel_tuple_cost = 0",
            "min_parallel_table_scan_size = 0",
            "min_parallel_index_scan_size = 0",
            "parallel_leader_participation = off",
        ):
            run(app, f"set local {setting}")
        plan = json.dumps(rows(app, "explain (analyze, format json) select count(*) from shoppulse.orders"))
        assert '"Workers Launched": 0' not in plan
        assert '"Workers Launched"' in plan
        assert rows(app, "select count(*) from shoppulse.orders") == [(5004,)]


def test_many_sessions_at_once_are_each_their_own_user(shoppulse: ShopPulse) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        tenant_id = f"T00{1 + number % 2}"
        with shoppulse.connection() as app:
            for turn in range(25):
                user_id = f"U{1 + number % 2}0{1 + turn % 4}"
                with entered(app, tenant_id, user_id):
                    found = rows(app, "select shoppulse.access_tenant(), shoppulse.access_user()")
                    if found != [(tenant_id, user_id)]:
                        wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_pipelines_read_and_write_every_tenant_but_not_who_may_see_what(shoppulse: ShopPulse) -> None:
    with shoppulse.connection("commerce_etl") as pipeline, pipeline:
        assert rows(pipeline, "select count(*) from shoppulse.orders") == [(24,)]
        assert rows(pipeline, "select count(*) from shoppulse.tenants") == [(2,)]
        run(pipeline, "update shoppulse.orders set channel = 'App'")
        denied = [f"select * from shoppulse.{table}" for table in ("users", "governance_rules")]
        denied += ["select * from shoppulse.token_keys", "select * from shoppulse.sql_principals"]
        for statement in (*denied, "update shoppulse.role_metric_visibility set is_visible = true"):
            error = refusal(pipeline, statement)
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege), statement
        # What they do for a tenant is written into his trail, and leaves them nowhere.
        run(pipeline, "select shoppulse.audit('T002', null, 'loaded', 'orders', null, '{}')")
        assert rows(pipeline, "select shoppulse.access_tenant()") == [(None,)]
    with shoppulse.tenant("T002") as owner:
        assert rows(owner, "select count(*) from shoppulse.audit_logs where action = 'loaded'") == [(1,)]


def test_the_owner_administers_one_tenant_until_the_transaction_ends(shoppulse: ShopPulse) -> None:
    def tenants(connection: Connection) -> list[tuple[str]]:
        return rows(connection, "select tenant_id from shoppulse.tenants")

    with shoppulse.connection(shoppulse.owner.user) as owner:
        with owner:
            run(owner, "select shoppulse.administer('T001')")
            assert tenants(owner) == [("T001",)]
            run(owner, "select shoppulse.administer('T002')")
            assert tenants(owner) == [("T002",)]
            error = refusal(
                owner, "insert into shoppulse.tenants (tenant_id, tenant_name) values ('T003', 'x')"
            )
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege)
            for nobody in ("", None):
                assert refusal(owner, "select shoppulse.administer(%s)", (nobody,)).pgcode == "42501"
        with owner:
            assert tenants(owner) == []


def test_keys_are_made_installed_listed_and_retired_by_command(
    shoppulse: ShopPulse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = shoppulse.owner
    for name in ("host", "port", "name", "user", "password", "sslmode"):
        monkeypatch.setenv(f"DB_{name.upper()}", str(getattr(owner, name)))
    monkeypatch.chdir("/")  # no .env
    assert tokens.main(["new", "by-command"]) == 0
    name, _, setting = capsys.readouterr().out.strip().partition("=")
    monkeypatch.setenv(name, setting)
    for said in ("installed", "is installed already"):
        assert tokens.main(["install"]) == 0
        assert capsys.readouterr().out == f"by-command {said}\n"
    with shoppulse.connection() as app, tokens.entered(app, tokens.token_key(), "T001", "U101"):
        assert rows(app, WHO)[0][0] == "T001"
    assert tokens.main(["retire", "by-command"]) == 0
    assert tokens.main(["retire", "by-command"]) == 2
    assert tokens.main(["list"]) == 0
    lines = [line.replace(" of ", ": ").split(": ") for line in capsys.readouterr().out.splitlines()[-2:]]
    assert [(line[0], line[2][:7]) for line in lines] == [("tests-1", "in use"), ("by-command", "retired")]
    monkeypatch.setenv(name, "by-command:too short")
    assert tokens.main(["install"]) == 1
    assert "reading SHOPPULSE_TOKEN_KEY" in capsys.readouterr().err


def test_the_reason_of_a_refusal_is_for_the_servers_log_alone(shoppulse: ShopPulse) -> None:
    """A client that asked for LOG messages was told which part of its token was wrong, and whether a user exists."""
    with shoppulse.connection() as app, app:
        run(app, "set local client_min_messages = log")
        assert rows(app, "select shoppulse.try_enter('x')") == [(False,)]
        assert rows(app, "select shoppulse.try_enter(%s)", (token_for(app, "T001", "nobody"),)) == [(False,)]
        assert app.notices == []
