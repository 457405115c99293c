"""`core`: rebuilding 100,000 opportunities of CORE, beside a bare `insert ... select` with the same joins; 1% changed.

Ours looks for what does not fit, adds to the dictionaries, compares, writes and logs each row; the bare statement
writes the same columns from the same joins, and nothing else. It is made from the text of ours, so that it cannot fall
behind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.measuring import Meter, Series
from benchmarks.report import Asked, Row
from benchmarks.server import OWNER
from odoo_apn_assets.core import Transformed, transform
from resources.database import connect
from resources.leases import lease
from resources.settings import DatabaseSettings
from resources.sql import Session, statement

OPPORTUNITIES = 100_000
TARGET = "odoo_opportunities"
PREFIX = "BENCH_CORE_"

FILL = """
insert into raw.lookup_res_country (id, code, name)
select n, 'C' || n, 'Country ' || n from generate_series(1, 250) as n;
insert into raw.odoo_res_country_state (id, name, country_id)
select n, 'State ' || n, 1 + n %% 250 from generate_series(1, 600) as n;
insert into raw.odoo_res_partner (id, name, email, phone, website, street, city, state_id, is_company,
    commercial_partner_id, comment, display_name, email_normalized, ref)
select n, case when n %% 4 = 0 then 'The Company ' || n || ' of Things, Inc.' else 'Person ' || n end,
    'person' || n || '@company' || n / 4 || '.example.com', '+1 555 ' || n,
    case when n %% 4 = 0 then 'https://www.company' || n / 4 || '.example.com/about' end, n || ' Main Street',
    'City ' || n %% 900, 1 + n %% 600, n %% 4 = 0, greatest(n / 4 * 4, 4), repeat('Comment ', 20), 'Person ' || n,
    'person' || n || '@example.com', n
from generate_series(1, 40000) as n;
insert into raw.lookup_res_users (id, partner_id, login) select n, n * 7, 'user' || n from generate_series(1, 60) as n;
insert into raw.odoo_crm_team (id, name) select n, 'Team ' || n from generate_series(1, 12) as n;
insert into raw.odoo_crm_stage (id, name, sequence) select n, 'Stage ' || n, n from generate_series(1, 8) as n;
insert into raw.odoo_c_aws_accounts (id, name, c_aws_account_name, c_aws_account_alias, payer_id, active)
select n, lpad(n::text, 12, '1'), 'Account ' || n, 'alias-' || n, 1 + n %% 40, true
from generate_series(1, 5000) as n;
insert into raw.odoo_crm_lead (id, name, type, active, partner_id, user_id, team_id, stage_id, c_aws_account_id,
    probability, expected_revenue, origination, c_aws_am_name, c_aws_psm_name, create_date, date_deadline, description,
    email_from, phone, contact_name, partner_name, write_date, referred)
select n, 'Opportunity ' || n || ' for a migration', 'opportunity', true, 1 + n * 13 %% 40000, 1 + n %% 60,
    1 + n %% 12, 1 + n %% 8, case when n %% 3 = 0 then 1 + n %% 5000 end, n %% 100, n * 1.5, 'AWS Referral',
    'Manager ' || n %% 50, 'Success ' || n %% 30, timestamp '2025-01-01' + n * interval '1 minute',
    date '2026-01-01' + n %% 365, repeat('What the customer wants. ', 12), 'person' || n || '@company.example.com',
    '+1 555', 'Person', 'Company', timestamp '2026-01-01', repeat('x', 200)
from generate_series(1, %(opportunities)s) as n;
analyze raw.odoo_crm_lead, raw.odoo_res_partner, raw.odoo_c_aws_accounts
"""
CHANGE = """
update raw.odoo_crm_lead set name = name || '!' where id %% 100 = 0;
insert into ops.raw_changes
select 'odoo_opportunities', 'odoo_crm_lead', id::text from raw.odoo_crm_lead where id %% 100 = 0
"""
ONE_PARTNER_IN_A_HUNDRED = """
update raw.odoo_res_partner set city = city || '!' where id %% 100 = 0;
insert into ops.raw_changes
select 'odoo_opportunities', 'odoo_res_partner', id::text from raw.odoo_res_partner where id %% 100 = 0
"""


def run(bench: Bench) -> Outcome:
    outcome = Outcome()
    with bench.server.warehouse() as database:
        bench.say(
            f"{OPPORTUNITIES:,} opportunities: bare insert, rebuild, rebuild over itself, 1% changed, in turns"
        )
        given = bench.server.settings(database, OWNER)
        names = {
            "HOST": given.host,
            "PORT": str(given.port),
            "NAME": given.name,
            "USER": given.user,
            "PASSWORD": given.password,
        }
        found = bench.worker(
            "benchmarks.core:measure",
            database,
            environment={f"{PREFIX}{name}": value for name, value in names.items()},
            repetitions=bench.repetitions,
        )
    series = {
        name: Series([reading(one) for one in readings]) for name, readings in found["readings"].items()
    }
    bare = f"insert ... select of {OPPORTUNITIES:,} with the same joins"
    for what, name, counts in (
        (f"rebuild of {OPPORTUNITIES:,} opportunities into an empty table", "rebuild", True),
        ("rebuild over the same rows, none written", "again", False),
        ("1% of the leads changed", "leads", False),
        ("1% of the partners changed", "partners", False),
    ):
        outcome.rows.append(
            Row("core", what, bare, series[name], series["bare"], Asked("at most", 3.0), counts=counts)
        )
    outcome.notes.append(
        f"core: the first build, which also computes {found['hosts']:,} domains and {found['names']:,} company names, "
        f"takes {series['first'].seconds:.2f} s; 1% of the leads changed: {found['leads']}; 1% of the partners: "
        f"{found['partners']}"
    )
    return outcome


def measure(server_pid: int, repetitions: int) -> dict[str, Any]:
    """All of it in turns, after a first build. Runs in a worker."""
    environment = {name: os.environ[PREFIX + name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}
    settings = DatabaseSettings(
        environment["HOST"],
        int(environment["PORT"]),
        environment["NAME"],
        environment["USER"],
        environment["PASSWORD"],
        "disable",
    )
    meter = Meter(server_pid)
    readings: dict[str, list[Any]] = {}
    last: dict[str, str] = {}
    session = Session(lambda: connect(settings, application_name="core benchmark"))

    def execute(text: str) -> None:
        with session.connection, session.connection.cursor() as cursor:
            cursor.execute(text, {"opportunities": OPPORTUNITIES})

    def measured(name: str, work: Callable[[], object]) -> None:
        took, result = meter.run(work)
        readings.setdefault(name, []).append(msgspec.to_builtins(took))
        if isinstance(result, Transformed):
            last[name] = f"{result.affected:,} looked at, {result.updated:,} updated"

    def ours(*, full: bool = False) -> Transformed:
        with lease(settings, "core", None, holder="benchmark", execution_id=None) as taken:
            return transform(session, TARGET, taken, full=full)

    empty = f"truncate core.{TARGET}, ops.transformation_log"
    execute(FILL)
    measured("first", lambda: ours(full=True))
    for _ in range(repetitions):
        execute(empty)
        measured("bare", lambda: execute(bare_statement()))
        execute(empty)
        measured("rebuild", lambda: ours(full=True))
        measured("again", lambda: ours(full=True))
        for name, change in (("leads", CHANGE), ("partners", ONE_PARTNER_IN_A_HUNDRED)):
            execute(change)
            measured(name, ours)
    with session.connection.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from core.domains), (select count(*) from core.company_names)"
        )
        hosts, names = cursor.fetchall()[0]
    session.close()
    return {"readings": readings, "hosts": hosts, "names": names, **last}


def bare_statement() -> str:
    """`insert ... select` of the same columns by the same joins, without looking for misfits, comparing or logging."""
    incoming = statement(f"core/transforms/{TARGET}_incoming").partition(" on commit drop as\n")[2]
    incoming = incoming.replace(
        "from affected\n    join raw.odoo_crm_lead as l on l.id = affected.source_key",
        "from raw.odoo_crm_lead as l",
    )
    incoming = re.sub(
        r"coalesce\(\s+name is null.*?false\)\s+as suspect", "false as suspect", incoming, flags=re.DOTALL
    )
    write = statement(f"core/transforms/{TARGET}_write")
    final = write.partition("with final as (")[2].partition("), compared as")[0]
    columns = re.search(r"insert into core\.\w+ \((.*?)\)\n", write, re.DOTALL)
    assert columns is not None
    assert "affected" not in incoming
    steps = f"with incoming as ({incoming}), final as ({final})"
    return " ".join(
        [steps, "insert into core.odoo_opportunities (", columns[1], ") select", columns[1], "from final"]
    )
