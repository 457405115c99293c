"""The audit trail: who may write what, the chain under concurrency, and that tampering is found at its very place."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from commerce_assets.shoppulse.audit import Row, Verdict, content_hash, entry_hash, link_hash, verify_database
from sandbox.postgres import PostgresServer
from tests.shoppulse import ShopPulse, entered, refusal, rows, run

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

DENIED = "42501"
TABLES = ("audit_logs", "audit_chain", "audit_heads")


def verified(shoppulse: ShopPulse, tenant: str | None = None) -> dict[str, Verdict]:
    with shoppulse.connection("commerce_etl") as connection:
        return {verdict.tenant_id: verdict for verdict in verify_database(connection, None, tenant=tenant)}


def note(connection: Connection, tenant: str, text: str, count: int = 1) -> None:
    """`count` entries of the schema's owner, in one transaction."""
    with connection:
        for number in range(count):
            details = json.dumps({"text": text, "n": number}, ensure_ascii=False)
            call = "select shoppulse.audit(%s, null, 'noted', 'test', %s, %s, '10.0.0.1')"
            run(connection, call, (tenant, f"R{number}", details))


@pytest.fixture
def trail(shoppulse: ShopPulse) -> ShopPulse:
    """T001 with ten more links: link 2 to 11, of which link 6 has three entries, the others one."""
    with shoppulse.connection(shoppulse.owner.user) as connection:
        for number in range(2, 12):
            note(connection, "T001", f"link {number}", 3 if number == 6 else 1)
    return shoppulse


def test_the_application_writes_as_whom_it_entered_and_as_nobody_else(shoppulse: ShopPulse) -> None:
    with shoppulse.connection() as connection:
        with connection:
            error = refusal(connection, "select shoppulse.audit_event('exported', 'report')")
            assert error.pgcode == DENIED
        with entered(connection, "T001", "U101"):
            run(connection, "select shoppulse.audit_event('exported', 'report', 'R1', '{\"rows\": 3}')")
            forged = "select shoppulse.audit('T001', 'U104', 'exported', 'report', null, null)"
            assert refusal(connection, forged).pgcode == DENIED
            assert refusal(connection, "select shoppulse.audit_batch('T002', '[]')").pgcode == DENIED
            append = "select shoppulse.audit_append('T002', '[]', '{}')"
            assert refusal(connection, append).pgcode == DENIED
            long = "select shoppulse.audit_event('a', 'b', null, to_jsonb(repeat('x', 70000)))"
            assert refusal(connection, long).pgcode == "54000"
    with shoppulse.connection("commerce_etl") as connection:
        written = "select tenant_id, user_id, login, resource_id from shoppulse.audit_logs"
        assert rows(connection, f"{written} where action = 'app.exported'") == [
            ("T001", "U101", "shoppulse_api", "R1")
        ]


def test_a_function_cannot_write_as_another_than_the_entered_user(
    shoppulse: ShopPulse, postgres: PostgresServer
) -> None:
    """A function of the owner that believed its argument would let anybody write in anybody's name."""
    with postgres.session(shoppulse.owner.name) as superuser:
        run(
            superuser,
            "create function shoppulse.believing(text, text) returns uuid language sql security definer "
            "return shoppulse.audit($1, $2, 'done', 'test', null, null);"
            "alter function shoppulse.believing owner to shoppulse_owner;"
            "grant execute on function shoppulse.believing to shoppulse_app",
        )
        superuser.commit()
    with shoppulse.connection() as connection, entered(connection, "T001", "U101"):
        for tenant, user in (("T001", "U104"), ("T002", None), ("T002", "U101"), (None, None)):
            error = refusal(connection, "select shoppulse.believing(%s, %s)", (tenant, user))
            assert error.pgcode == DENIED
        run(connection, "select shoppulse.believing('T001', null), shoppulse.believing('T001', 'U101')")
    with shoppulse.connection("commerce_etl") as connection:
        written = "select user_id from shoppulse.audit_logs where action = 'done'"
        assert rows(connection, written) == [("U101",)] * 2


def test_a_pipeline_writes_for_any_tenant_but_as_no_user(shoppulse: ShopPulse) -> None:
    with shoppulse.connection("commerce_etl") as connection:
        run(connection, "select shoppulse.audit('T002', null, 'loaded', 'orders', null, null)")
        for call in (
            "select shoppulse.audit('T002', 'U204', 'loaded', 'orders', null, null)",
            """select shoppulse.audit_batch('T002', '[{"action":"a","resource_type":"b","user_id":"U204"}]')""",
            """select shoppulse.audit_batch('T002', '[{"action":"tenant.erased","resource_type":"b"}]')""",
            "select shoppulse.audit('T002', null, 'tenant.erased', 'orders', null, null)",
            "select shoppulse.audit_maintenance('T002', 'tenant.erased', null)",
        ):
            assert refusal(connection, call).pgcode == DENIED, call


@pytest.mark.parametrize(
    "login", ["shoppulse_api", "reader_one", "commerce_etl", "warehouse_owner", "keeper"]
)
@pytest.mark.parametrize("table", TABLES)
def test_nobody_changes_the_trail(shoppulse: ShopPulse, login: str, table: str) -> None:
    statements = [
        f"update shoppulse.{table} set tenant_id = tenant_id",
        f"truncate shoppulse.{table} cascade",
    ]
    statements.append(f"delete from shoppulse.{table}")
    if login != "warehouse_owner":
        statements.append(f"insert into shoppulse.{table} select * from shoppulse.{table}")
    with shoppulse.connection(login) as connection:
        for text in statements:
            assert refusal(connection, text).pgcode == DENIED, text


@pytest.mark.parametrize("role", ["origin", "replica"])
def test_a_superuser_is_refused_while_the_triggers_stand(
    shoppulse: ShopPulse, postgres: PostgresServer, role: str
) -> None:
    """session_replication_role = replica switches ordinary triggers off: a superuser once had the trail that way."""
    with postgres.session(shoppulse.owner.name) as superuser:
        superuser.autocommit = False
        run(superuser, f"set session_replication_role = {role}")
        for table in TABLES:
            for text in (
                f"update shoppulse.{table} set tenant_id = tenant_id",
                f"delete from shoppulse.{table}",
                f"truncate shoppulse.{table} cascade",
                f"insert into shoppulse.{table} select * from shoppulse.{table}",
            ):
                assert refusal(superuser, text).pgcode == DENIED, text


def test_maintenance_takes_contents_out_and_replaces_none(shoppulse: ShopPulse) -> None:
    with shoppulse.connection("keeper") as connection:
        error = refusal(connection, "update shoppulse.audit_logs set details = null")
        assert error.pgcode == DENIED, "the role is taken on deliberately"
        run(connection, "select shoppulse.administer('T001')")
        run(connection, "set local role shoppulse_maintenance")
        error = refusal(connection, "update shoppulse.audit_logs set details = '{}'")
        assert error.pgcode == DENIED
        assert refusal(connection, "update shoppulse.audit_logs set action = 'x'").pgcode == DENIED
        run(
            connection,
            "update shoppulse.audit_logs set details = null, resource_id = null, ip_address = null,"
            " content_salt = null where tenant_id = 'T001'",
        )
        connection.commit()
    finding = verified(shoppulse)["T001"].finding
    assert finding is not None
    assert "no erasure is on record" in finding.what
    assert finding.seq == 1
    with shoppulse.connection("keeper") as connection, connection:
        run(connection, "select shoppulse.audit_maintenance('T001', 'tenant.erased', null)")
    assert verified(shoppulse)["T001"].finding is None


FOURTH = (
    "tenant_id = 'T001' and link_id ="
    " (select link_id from shoppulse.audit_chain where tenant_id = 'T001' and seq = 4)"
)
SIXTH = FOURTH.replace("seq = 4", "seq = 6")
RECOMPUTED = """
update shoppulse.audit_logs set details = '{"text": "another"}' where {fourth};
update shoppulse.audit_logs
set content_hash = shoppulse.audit_content_hash(content_salt, resource_id, ip_address, details) where {fourth};
update shoppulse.audit_logs set entry_hash = shoppulse.audit_entry_hash(tenant_id, link_id, link_position, log_id,
    created_at, user_id, login, action, resource_type, content_hash) where {fourth};
update shoppulse.audit_chain c set entries_hash = sha256(l.entry_hash) from shoppulse.audit_logs l
where c.tenant_id = 'T001' and c.seq = 4 and l.tenant_id = c.tenant_id and l.link_id = c.link_id;
do $$
begin
    for n in 4 .. 11 loop
        update shoppulse.audit_chain c
        set prev_hash = (select p.hash from shoppulse.audit_chain p where p.tenant_id = 'T001' and p.seq = n - 1)
        where c.tenant_id = 'T001' and c.seq = n;
        update shoppulse.audit_chain c
        set hash = shoppulse.audit_link_hash(tenant_id, seq, link_id, entries, entries_hash, chained_at, prev_hash)
        where c.tenant_id = 'T001' and c.seq = n;
    end loop;
end
$$;
update shoppulse.audit_heads set hash = (select hash from shoppulse.audit_chain where tenant_id = 'T001' and seq = 11)
where tenant_id = 'T001';
""".replace("{fourth}", FOURTH)
CUT_TAIL = """
delete from shoppulse.audit_logs where tenant_id = 'T001' and link_id in (
    select link_id from shoppulse.audit_chain where tenant_id = 'T001' and seq > 8);
delete from shoppulse.audit_chain where tenant_id = 'T001' and seq > 8;
update shoppulse.audit_heads h set seq = c.seq, hash = c.hash, entries = h.entries - 3
from shoppulse.audit_chain c where h.tenant_id = 'T001' and c.tenant_id = 'T001' and c.seq = 8;
"""
ALL_GONE = "".join(f"delete from shoppulse.{table} where tenant_id = 'T001';" for table in TABLES)
FORGED = """
insert into shoppulse.audit_logs select gen_random_uuid(), tenant_id, user_id, 'forged', resource_type, resource_id,
    details, ip_address, created_at, login, {link}, {position}, content_salt, content_hash, entry_hash
from shoppulse.audit_logs where {fourth}
""".replace("{fourth}", FOURTH)
TAMPERING: dict[str, tuple[str, int | None, str]] = {
    "altered details": (
        f"update shoppulse.audit_logs set details = '{{}}' where {FOURTH}",
        *(4, r"altered \(details"),
    ),
    "altered address": (
        f"update shoppulse.audit_logs set ip_address = null where {FOURTH}",
        *(4, r"altered \(details"),
    ),
    "another action": (
        f"update shoppulse.audit_logs set action = 'x' where {FOURTH}",
        4,
        "entry was altered",
    ),
    "another actor": (
        f"update shoppulse.audit_logs set user_id = 'U101' where {FOURTH}",
        *(4, "entry was altered"),
    ),
    "another time": (
        f"update shoppulse.audit_logs set created_at = created_at + interval '1 microsecond' where {FOURTH}",
        *(4, "entry was altered"),
    ),
    "another login": (f"update shoppulse.audit_logs set login = 'x' where {FOURTH}", 4, "entry was altered"),
    "taken out": (
        "update shoppulse.audit_logs set details = null, resource_id = null, ip_address = null, content_salt = null "
        f"where {FOURTH}",
        *(4, "no erasure is on record"),
    ),
    "deleted middle": (f"delete from shoppulse.audit_logs where {FOURTH}", 4, "entries are missing"),
    "deleted in a batch": (
        f"delete from shoppulse.audit_logs where {SIXTH} and link_position = 2",
        *(6, "entry 2 of 3 is missing"),
    ),
    "deleted end of a batch": (
        f"delete from shoppulse.audit_logs where {SIXTH} and link_position = 3",
        *(6, "entry 3 of 3 is missing"),
    ),
    "deleted link": (
        f"delete from shoppulse.audit_logs where {FOURTH};"
        "delete from shoppulse.audit_chain where tenant_id = 'T001' and seq = 4",
        *(4, "link is missing"),
    ),
    "deleted tail": (
        "delete from shoppulse.audit_chain where tenant_id = 'T001' and seq > 8",
        *(9, "the head says link 11"),
    ),
    "swapped order of links": (
        "update shoppulse.audit_chain set seq = 99 where tenant_id = 'T001' and seq = 4;"
        "update shoppulse.audit_chain set seq = 4 where tenant_id = 'T001' and seq = 5;"
        "update shoppulse.audit_chain set seq = 5 where tenant_id = 'T001' and seq = 99",
        *(4, "does not follow"),
    ),
    "swapped order in a batch": (
        f"update shoppulse.audit_logs set link_position = 99 where {SIXTH} and link_position = 1;"
        f"update shoppulse.audit_logs set link_position = 1 where {SIXTH} and link_position = 2;"
        f"update shoppulse.audit_logs set link_position = 2 where {SIXTH} and link_position = 99",
        *(6, "entry was altered"),
    ),
    "altered with its hashes": (
        f"update shoppulse.audit_logs set action = 'x' where {FOURTH};"
        "update shoppulse.audit_logs set entry_hash = shoppulse.audit_entry_hash(tenant_id, link_id,"
        f" link_position, log_id, created_at, user_id, login, action, resource_type, content_hash) where {FOURTH}",
        *(4, "not those that were chained"),
    ),
    "altered link": (
        "update shoppulse.audit_chain set chained_at = chained_at - interval '1 day'"
        " where tenant_id = 'T001' and seq = 4",
        *(4, "own columns"),
    ),
    "forged into a link": (
        FORGED.replace("{link}", "link_id").replace("{position}", "2"),
        *(4, "put into a link of 1"),
    ),
    "forged beside the chain": (
        FORGED.replace("{link}", "gen_random_uuid()").replace("{position}", "1"),
        *(None, "belongs to no link"),
    ),
    "head gone": ("delete from shoppulse.audit_heads where tenant_id = 'T001'", 11, "head of the chain"),
}


def tamper(postgres: PostgresServer, shoppulse: ShopPulse, text: str) -> None:
    """What the owner of the tables can do: switch the triggers off, change, switch them on."""
    with postgres.session(shoppulse.owner.name) as superuser:
        for table in TABLES:
            run(superuser, f"alter table shoppulse.{table} disable trigger user")
        run(superuser, text)
        for table in TABLES:
            run(superuser, f"alter table shoppulse.{table} enable always trigger keep_audit_trail")
        superuser.commit()


@pytest.mark.parametrize(("text", "seq", "what"), TAMPERING.values(), ids=TAMPERING)
def test_what_the_owner_does_to_the_trail_is_found_at_the_very_link(
    trail: ShopPulse, postgres: PostgresServer, text: str, seq: int | None, what: str
) -> None:
    tamper(postgres, trail, text)
    verdicts = verified(trail)
    finding = verdicts["T001"].finding
    assert finding is not None
    assert finding.seq == seq

    assert re.search(what, finding.what), finding
    assert verdicts["T002"].finding is None, "the other tenant's is untouched"
    if seq is None or "altered" in what:
        assert finding.log_id is not None


def test_the_role_that_owns_the_tables_is_found_out_as_well(trail: ShopPulse) -> None:
    """It can lift what binds it, triggers and forced row security, but not make the chain fit."""
    with trail.connection(trail.owner.user) as connection:
        run(connection, "set role shoppulse_owner")
        text = f"update shoppulse.audit_logs set details = '{{}}' where {FOURTH}"
        assert refusal(connection, text).pgcode == DENIED
        for table in ("audit_logs", "audit_chain"):
            run(connection, f"alter table shoppulse.{table} disable trigger user")
            run(connection, f"alter table shoppulse.{table} no force row level security")
        run(connection, text)
        connection.commit()
    finding = verified(trail)["T001"].finding
    assert finding is not None
    assert (finding.seq, finding.log_id is not None) == (4, True)


def test_the_first_fault_is_the_one_that_is_named(trail: ShopPulse, postgres: PostgresServer) -> None:
    later = FOURTH.replace("seq = 4", "seq = 9")
    tamper(postgres, trail, f"delete from shoppulse.audit_logs where {FOURTH} or {later}")
    finding = verified(trail)["T001"].finding
    assert finding is not None
    assert finding.seq == 4


@pytest.mark.parametrize("text", [RECOMPUTED, CUT_TAIL, ALL_GONE], ids=["recomputed", "cut tail", "all gone"])
def test_a_consistent_forgery_shows_no_fault_of_its_own(
    trail: ShopPulse, postgres: PostgresServer, text: str
) -> None:
    """Why there are anchors: within the database these three cannot be told from the truth (see the anchors' tests)."""
    tamper(postgres, trail, text)
    verdict = verified(trail).get("T001")
    assert verdict is None or verdict.finding is None


def test_a_rollback_leaves_no_hole(shoppulse: ShopPulse) -> None:
    with shoppulse.connection(shoppulse.owner.user) as connection:
        note(connection, "T001", "kept")
        run(connection, "select shoppulse.audit('T001', null, 'lost', 'test', null, null)")
        connection.rollback()
        with connection:
            run(connection, "select shoppulse.audit('T001', null, 'before', 'test', null, null)")
            run(connection, "savepoint one")
            run(connection, "select shoppulse.audit('T001', null, 'lost', 'test', null, null)")
            run(connection, "select shoppulse.audit('T002', null, 'lost', 'test', null, null)")
            run(connection, "rollback to savepoint one")
            run(connection, "select shoppulse.audit('T001', null, 'after', 'test', null, null)")
    verdicts = verified(shoppulse)
    assert [verdict.finding for verdict in verdicts.values()] == [None, None]
    assert verdicts["T001"].last.seq == 3
    assert verdicts["T002"].last.seq == 1
    with shoppulse.connection("commerce_etl") as connection:
        assert rows(connection, "select count(*) from shoppulse.audit_logs where action = 'lost'") == [(0,)]


def test_constraints_made_immediate_chain_at_once(shoppulse: ShopPulse) -> None:
    """An application may say SET CONSTRAINTS: entries are then links of their own, and none is lost."""
    with shoppulse.connection() as connection, entered(connection, "T001", "U101"):
        run(connection, "set constraints all immediate")
        run(connection, "select shoppulse.audit_event('one', 'test')")
        run(connection, "select shoppulse.audit_event('two', 'test')")
        run(connection, "set constraints all deferred")
        run(connection, "select shoppulse.audit_event('three', 'test')")
    verdict = verified(shoppulse)["T001"]
    assert (verdict.finding, verdict.last.seq) == (None, 5)


def test_a_batch_is_one_link(shoppulse: ShopPulse) -> None:
    entries = (
        "select jsonb_agg(jsonb_build_object('action', 'loaded', 'resource_type', 'orders', 'resource_id', 'O' || n,"
        " 'details', jsonb_build_object('n', n))) from generate_series(1, 500) n"
    )
    before = verified(shoppulse)["T001"].last
    with shoppulse.connection("commerce_etl") as connection, connection:
        assert rows(connection, f"select shoppulse.audit_batch('T001', ({entries}))") == [(500,)]
        assert rows(connection, f"select shoppulse.audit_batch('T001', ({entries}))") == [(500,)]
        assert rows(connection, "select shoppulse.audit_batch('T001', '[]')") == [(0,)]
    verdict = verified(shoppulse)["T001"]
    assert (verdict.finding, verdict.last.seq) == (None, before.seq + 1)
    assert verdict.last.entries == before.entries + 1000


def in_threads(work: Callable[[int], None], threads: int) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=guarded, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert failures == []


def test_ten_thousand_entries_of_eight_writers_make_one_chain(shoppulse: ShopPulse) -> None:
    """Every writer a transaction an entry; some are rolled back."""

    def write(number: int) -> None:
        with shoppulse.connection() as connection:
            for turn in range(1250):
                with entered(connection, "T001", f"U10{1 + number % 4}"):
                    run(connection, "select shoppulse.audit_event('done', 'test', %s)", (f"{number}-{turn}",))
                if turn % 100 == 0:
                    run(connection, "select 1")
                    connection.rollback()

    began = time.perf_counter()
    in_threads(write, 8)
    print(f"{10_000 / (time.perf_counter() - began):,.0f} entries a second, 8 writers, a transaction each")
    began = time.perf_counter()
    verdict = verified(shoppulse, "T001")["T001"]
    print(f"{verdict.entries / (time.perf_counter() - began):,.0f} entries a second verified")
    assert verdict.finding is None
    assert verdict.last.seq == 10_001
    with shoppulse.connection("commerce_etl") as connection:
        distinct = "select count(distinct resource_id) from shoppulse.audit_logs where action = 'app.done'"
        assert rows(connection, distinct) == [(10_000,)]


def test_transactions_of_several_tenants_do_not_wait_for_each_other_in_a_circle(shoppulse: ShopPulse) -> None:
    def write(number: int) -> None:
        tenants = ["T001", "T002"] if number % 2 else ["T002", "T001"]
        with shoppulse.connection(shoppulse.owner.user) as connection:
            for _ in range(100):
                with connection:
                    for tenant in tenants:
                        run(
                            connection,
                            "select shoppulse.audit(%s, null, 'done', 'test', null, null)",
                            (tenant,),
                        )

    in_threads(write, 4)
    assert [verdict.finding for verdict in verified(shoppulse).values()] == [None, None]


def test_a_long_transaction_that_audited_holds_up_nobody(shoppulse: ShopPulse) -> None:
    with shoppulse.connection() as slow, shoppulse.connection() as quick, entered(slow, "T001", "U101"):
        run(slow, "select shoppulse.audit_event('began', 'test')")
        with entered(quick, "T001", "U102"):
            run(quick, "set local statement_timeout = '5s'")
            run(quick, "select shoppulse.audit_event('done', 'test')")
    assert verified(shoppulse)["T001"].finding is None


def entries_of(shoppulse: ShopPulse, table: str) -> list[tuple[Any, ...]]:
    with shoppulse.connection("commerce_etl") as connection:
        return rows(
            connection,
            "select l.action, l.resource_id, l.user_id, l.login, l.details from shoppulse.audit_logs l"
            " join shoppulse.audit_chain c using (tenant_id, link_id)"
            " where l.resource_type = %s and c.seq > 1 and tenant_id = 'T001' order by c.seq, l.link_position",
            (table,),
        )


def test_every_change_is_on_record_whoever_makes_it(shoppulse: ShopPulse, postgres: PostgresServer) -> None:
    with postgres.session(shoppulse.owner.name) as superuser:
        run(superuser, "set session_replication_role = replica")
        run(
            superuser,
            "update shoppulse.users set role = 'Admin' where tenant_id = 'T001' and user_id = 'U101'",
        )
        superuser.commit()
    with shoppulse.tenant("T001") as owner:
        run(owner, "update shoppulse.users set cognito_user_id = 'new', region = 'EU' where user_id = 'U102'")
        run(owner, "update shoppulse.users set status = status")
        run(owner, "update shoppulse.tenants set plan_tier = 'Premium' where tenant_id = 'T001'")
        run(owner, "update shoppulse.tenant_settings set currency = 'EUR'")
        run(
            owner,
            'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
            " values ('T001', 'U101', 'region', '{EU}')",
        )
        run(owner, "delete from shoppulse.role_metric_visibility where metric_name = 'cac'")
    (by_superuser, by_owner) = entries_of(shoppulse, "users")
    assert by_superuser[:3] == ("users.update", "U101", None)
    assert by_superuser[4] == {"old": {"role": "Finance"}, "new": {"role": "Admin"}}
    assert by_owner[3] == "warehouse_owner"
    assert by_owner[4] == {
        "old": {"cognito_user_id": "(not shown)", "region": None},
        "new": {"cognito_user_id": "(not shown)", "region": "EU"},
    }
    assert [entry[4] for entry in entries_of(shoppulse, "tenants")] == [
        {"old": {"plan_tier": None}, "new": {"plan_tier": "Premium"}}
    ]
    assert [entry[0] for entry in entries_of(shoppulse, "tenant_settings")] == ["tenant_settings.update"]
    (rule,) = entries_of(shoppulse, "governance_rules")
    assert rule[1] == "U101/region"
    assert rule[4]["new"]["values"] == ["EU"]
    ((action, resource, _, _, details),) = entries_of(shoppulse, "role_metric_visibility")
    assert (action, resource) == ("role_metric_visibility.delete", "Marketing/cac")
    assert details["old"]["is_visible"] is True
    assert "new" not in details
    assert verified(shoppulse)["T001"].finding is None


@pytest.mark.parametrize(
    "table", ["users", "role_metric_visibility", "governance_rules", "tenants", "tenant_settings"]
)
def test_a_truncate_cannot_pass_the_record_by(
    shoppulse: ShopPulse, postgres: PostgresServer, table: str
) -> None:
    with postgres.session(shoppulse.owner.name) as superuser:
        superuser.autocommit = False
        run(superuser, "set session_replication_role = replica")
        assert refusal(superuser, f"truncate shoppulse.{table} cascade").pgcode == DENIED


def test_the_chain_is_the_same_under_any_setting(shoppulse: ShopPulse) -> None:
    """Times and bytes as text depend on the session: a chain written in one office must verify in another."""
    odd = (
        "set time zone 'Asia/Kathmandu'; set datestyle = 'German'; set bytea_output = 'escape';"
        "set intervalstyle = 'sql_standard'; set extra_float_digits = -15"
    )
    with shoppulse.connection(shoppulse.owner.user) as connection:
        run(connection, odd)
        note(connection, "T001", "ÄÖ 🙂 'quoted' \\\\u0001", 3)
    with shoppulse.connection("commerce_etl") as connection:
        run(connection, odd)
        connection.commit()
        assert [verdict.finding for verdict in verify_database(connection, None)] == [None, None]
        recent = "select bool_and(created_at > (now() at time zone 'UTC') - interval '1 hour' and"
        recent += " created_at <= (clock_timestamp() at time zone 'UTC'))"
        assert rows(connection, f"{recent} from shoppulse.audit_logs") == [(True,)]


def test_the_hashes_are_those_of_the_document(shoppulse: ShopPulse) -> None:
    """Literal values: a server or a release that hashes differently would make every kept chain look tampered with."""
    log_id, link_id = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    when, zero = "2026-11-21T15:00:00.000001", "00" * 32
    details = '{"a": 1.10, "aä": [null, "x"]}'
    entry = Row(
        *(7, link_id, 1, zero, when, zero, zero, 1, log_id, when, None, "login", "done", "test", "R'1"),
        *("10.0.0.1/32", details, "0a0b", zero, zero),
    )
    python = (content_hash(entry), entry_hash("T001", entry), link_hash("T001", entry))
    with shoppulse.connection(shoppulse.owner.user) as connection:
        (database,) = rows(
            connection,
            "select encode(shoppulse.audit_content_hash('\\x0a0b', 'R''1', '10.0.0.1', %(details)s), 'hex'),"
            " encode(shoppulse.audit_entry_hash('T001', %(link)s, 1, %(log)s, %(when)s, null, 'login', 'done', 'test',"
            " %(zero)s), 'hex'),"
            " encode(shoppulse.audit_link_hash('T001', 7, %(link)s, 1, %(zero)s, %(when)s, %(zero)s), 'hex')",
            {"details": details, "link": link_id, "log": log_id, "when": when, "zero": b"\0" * 32},
        )
    assert database == python
    assert python == (
        "e65a2b9d4ad97913713ce9889f37b31a74ba91080fb9129c5427160b3920d2cf",
        "c80d7ae0bf32dd824ab7eca0c68e9b10ff94701ad42f2b3b9f5d2276b4bf42f9",
        "5c6c928de8921850beaa864107ae4b886975fe272d5b58fa8c3697071f4ac301",
    )


def test_no_audit_row_without_its_transaction(shoppulse: ShopPulse) -> None:
    with shoppulse.connection(shoppulse.owner.user) as connection:
        with pytest.raises(psycopg2.Error):
            note(connection, "T999", "no such tenant")
        with pytest.raises(psycopg2.Error):
            run(connection, "select shoppulse.audit('T001', 'U999', 'done', 'test', null, null)")
        connection.rollback()
    assert [verdict.finding for verdict in verified(shoppulse).values()] == [None, None]
