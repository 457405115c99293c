"""What the mirrors in RAW are checked for, as findings: no key twice, nothing dangling, nothing invented, nothing lost.

Belongs here: running the statements of sql/raw/checks and judging what they count. Does not belong here: Dagster (the
checks are declared in `odoo_apn_assets.checks`), and what the mirror does about a difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odoo_apn_assets.apn_rules import Severity, parameters, rules_of
from odoo_apn_assets.specs import Column, TableSpec, specs_of
from odoo_apn_assets.value_lists import comparison, listed_columns
from resources.sql import Session, statement

if TYPE_CHECKING:
    from psycopg2.sql import Composable


@dataclass(frozen=True)
class Finding:
    """What one check found in one table. `parts` are the single rules behind it, each recorded as its own row."""

    table: str
    check: str
    passed: bool
    severity: Severity
    checked: int
    failed: int
    facts: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    parts: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class RawCheck:
    """One kind of check: which mirrors have it, and how all of them are judged at once."""

    name: str
    description: str
    blocking: bool
    applies: Callable[[TableSpec], bool]
    judge: Callable[[Session, Sequence[TableSpec]], list[Finding]]


def references(spec: TableSpec) -> dict[str, tuple[Column, ...]]:
    """The columns of a mirror that hold ids of another mirrored row, by the name of that mirror."""
    found: dict[str, tuple[Column, ...]] = {}
    for column in spec.columns:
        target = _target(spec, column)
        if target is not None:
            found[target] = (*found.get(target, ()), column)
    return found


def not_checkable(spec: TableSpec) -> dict[str, str]:
    """Column -> relation, of the ids that point to tables which are not mirrored."""
    return {
        column.name: column.relation
        for column in spec.columns
        if column.relation is not None and _target(spec, column) is None
    }


# The lookups stand outside the catalogue, so their relation does too: a user's name and address are his partner's.
_LOOKUP_RELATIONS = {("res_users", "partner_id"): "res.partner"}


def _target(spec: TableSpec, column: Column) -> str | None:
    relation = column.relation or _LOOKUP_RELATIONS.get(
        (spec.table, column.name) if spec.is_lookup else ("", "")
    )
    if relation is None:
        return None
    wanted = relation.removesuffix(".id") if spec.system == "apn" else relation.replace(".", "_")
    mirrored = {other.table: other.raw_name for other in specs_of(spec.system)}
    return mirrored.get(wanted)


def _keys_are_unique(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    names = [spec.raw_name for spec in checked]
    guarded = dict(session.run("raw/checks/unique_keys", {"tables": names}, table="pg_index"))
    findings = []
    for spec in checked:
        if spec.raw_name in guarded:
            count, failed, facts = guarded[spec.raw_name], 0, {"guarded by": "a valid unique index on id"}
        else:
            count, failed, examples = _composed(session, "raw/checks/keys_are_unique", spec)[0]
            facts = {"rows": count, "double or missing": failed, "examples": examples}
        findings.append(Finding(_full(spec), "keys_are_unique", not failed, "ERROR", count, failed, facts))
    return findings


def _mirror_equals_source(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    findings = []
    for spec in checked:
        rows = _composed(session, "raw/checks/mirror_equals_source", spec, {"raw_table": spec.raw_name})
        if not rows:
            facts: dict[str, Any] = {"problem": "no sync of this table is recorded in ops.table_syncs"}
            findings.append(Finding(_full(spec), "mirror_equals_source", False, "ERROR", 0, 0, facts))
            continue
        job, method, source, mirrored, source_hash, mirror_hash, live, held = rows[0]
        problems = []
        if source != mirrored + held:
            problems.append(f"the source had {source} rows, the mirror got {mirrored} and quarantine {held}")
        if live != mirrored:
            problems.append(f"the sync left {mirrored} live rows, now there are {live}")
        hashed = source_hash is not None and mirror_hash is not None
        if hashed and source_hash != mirror_hash:
            problems.append("the sums of the row hashes differ")
        facts = {
            "source rows": source,
            "mirror rows": mirrored,
            "live rows now": live,
            "quarantined rows": held,
            "source hash": str(source_hash) if hashed else None,
            "mirror hash": str(mirror_hash) if hashed else None,
            "method": method,
            "job": job,
            "problems": problems or None,
        }
        failed = max(abs(source - mirrored - held), abs(live - mirrored), int(bool(problems)))
        findings.append(
            Finding(_full(spec), "mirror_equals_source", not problems, "ERROR", source, failed, facts)
        )
    return findings


def _no_open_drift(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    names = [spec.raw_name for spec in checked]
    rows = session.run("ops/checks/open_drift", {"tables": names}, table="schema_drift")
    found = {name: (count, examples) for name, count, examples in rows}
    findings = []
    for spec in checked:
        count, examples = found.get(spec.raw_name, (0, None))
        facts = {"columns": len(spec.columns), "open differences": count, "examples": examples}
        findings.append(
            Finding(_full(spec), "no_open_drift", not count, "WARN", len(spec.columns), count, facts)
        )
    return findings


def _nothing_is_quarantined(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    names = [_full(spec) for spec in checked]
    rows = session.run("ops/checks/open_quarantine", {"tables": names}, table="quarantine")
    found = {name: rest for name, *rest in rows}
    findings = []
    for name in names:
        count, reasons, examples = found.get(name, (0, None, None))
        facts = {"rows held": count, "reasons": reasons, "examples": examples}
        findings.append(Finding(name, "nothing_is_quarantined", not count, "WARN", count, count, facts))
    return findings


def _every_id_resolves(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    findings = []
    for spec in checked:
        rows = _execute(session, resolution(spec), None)
        columns = {
            name: {"checked": count, "unresolved": failed, "of those marked deleted": dead, "examples": shown}
            for name, count, failed, dead, shown in rows
            if failed
        }
        total, failed = sum(row[1] for row in rows), sum(row[2] for row in rows)
        facts = {
            "checked": total,
            "unresolved": failed,
            "columns": columns or None,
            "not checkable": not_checkable(spec) or None,
        }
        findings.append(Finding(_full(spec), "every_id_resolves", not failed, "WARN", total, failed, facts))
    return findings


def resolution(spec: TableSpec) -> Composable:
    """The statement that looks for the rows which a mirror's relation columns name."""
    from psycopg2 import sql

    found = references(spec)
    pairs = [
        sql.SQL("({}, {})").format(sql.Literal(column.name), sql.Identifier("t", column.name))
        for columns in found.values()
        for column in columns
    ]
    targets = [
        sql.SQL(statement("raw/checks/every_id_resolves_target")).format(
            target=sql.Identifier("raw", target),
            columns=sql.SQL(", ").join(sql.Literal(column.name) for column in columns),
        )
        for target, columns in found.items()
    ]
    return sql.SQL(statement("raw/checks/every_id_resolves")).format(
        table=sql.Identifier("raw", spec.raw_name),
        references=sql.SQL(", ").join(pairs),
        targets=sql.SQL("    union all\n").join(targets),
    )


def _values_are_listed(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    findings = []
    for spec in checked:
        lists = listed_columns(spec)
        rows = _execute(session, *comparison(spec, lists))
        columns = {
            name: {
                "checked": count,
                "unknown": unknown,
                "other spelling": respelled,
                "unknown values": strays,
                "spellings": spellings,
                "examples": examples,
            }
            for name, count, unknown, respelled, strays, spellings, examples in rows
            if unknown or respelled
        }
        total, unknown, respelled = (sum(row[position] for row in rows) for position in (1, 2, 3))
        facts = {
            "checked": total,
            "unknown": unknown,
            "other spelling": respelled,
            "columns": columns or None,
        }
        # Another spelling is understood, so it does not fail the check: it is reported beside the unknown ones.
        findings.append(Finding(_full(spec), "values_are_listed", not unknown, "WARN", total, unknown, facts))
    return findings


def _rules_hold(session: Session, checked: Sequence[TableSpec]) -> list[Finding]:
    findings = []
    for spec in checked:
        name = f"raw/checks/{spec.raw_name}"
        rows = {code: rest for code, *rest in session.run(name, parameters(), table=spec.raw_name)}
        parts = []
        for rule in rules_of(spec.raw_name):
            count, failed, examples = rows.get(rule.code, (0, 0, None))
            facts = {"columns": list(rule.columns), "examples": examples}
            parts.append(
                Finding(
                    _full(spec),
                    f"rule {rule.code}",
                    not failed,
                    rule.severity,
                    count,
                    failed,
                    facts,
                    rule.description,
                )
            )
        broken = {
            part.check.removeprefix("rule "): {
                "checked": part.checked,
                "failed": part.failed,
                "severity": part.severity,
                "examples": part.facts["examples"],
            }
            for part in parts
            if not part.passed
        }
        # A warning in Dagster whatever the rule: the mirror is right, its source is not. Their own severities are
        # recorded.
        facts = {"rules": len(parts), "broken rules": len(broken), "broken": broken or None}
        findings.append(
            Finding(
                _full(spec),
                "rules_hold",
                not broken,
                "WARN",
                sum(part.checked for part in parts),
                sum(part.failed for part in parts),
                facts,
                parts=tuple(parts),
            )
        )
    return findings


RAW_CHECKS: tuple[RawCheck, ...] = (
    RawCheck(
        "keys_are_unique",
        "No source key is missing or stands on two rows.",
        True,
        lambda spec: True,
        _keys_are_unique,
    ),
    RawCheck(
        "mirror_equals_source",
        "The last sync left as many rows, with the same hash sum, as the source had, and they are still there.",
        True,
        lambda spec: True,
        _mirror_equals_source,
    ),
    RawCheck(
        "no_open_drift",
        "The source has the columns of the catalogue, in their types.",
        False,
        lambda spec: True,
        _no_open_drift,
    ),
    RawCheck(
        "nothing_is_quarantined",
        "No row or value of this table is held in ops.quarantine.",
        False,
        lambda spec: True,
        _nothing_is_quarantined,
    ),
    RawCheck(
        "every_id_resolves",
        "Each id of a mirrored table leads to a row that is still there.",
        False,
        lambda spec: bool(references(spec)),
        _every_id_resolves,
    ),
    RawCheck(
        "values_are_listed",
        "Coded columns hold values of their lists; known other spellings are counted apart and pass.",
        False,
        lambda spec: bool(listed_columns(spec)),
        _values_are_listed,
    ),
    RawCheck(
        "rules_hold",
        "Each validation rule of this table holds for every row that it applies to.",
        False,
        lambda spec: bool(rules_of(spec.raw_name)),
        _rules_hold,
    ),
)


def checks_of(system: str) -> list[tuple[RawCheck, TableSpec]]:
    """Every check of every mirror of one source system."""
    return [(check, spec) for spec in specs_of(system) for check in RAW_CHECKS if check.applies(spec)]


def inspect(session: Session, selected: Sequence[tuple[RawCheck, TableSpec]], run_id: str) -> list[Finding]:
    """Judge the selected checks in one transaction and record them in ops.data_quality_checks."""

    def work() -> list[Finding]:
        findings = []
        for check in RAW_CHECKS:
            tables = [spec for chosen, spec in selected if chosen is check]
            if tables:
                findings += check.judge(session, tables)
        record(session, findings, run_id)
        return findings

    return session.transaction(work, doing="checking the mirrors")


def record(session: Session, findings: Sequence[Finding], run_id: str) -> None:
    """Append findings to ops.data_quality_checks, in the transaction of the caller; rules one by one."""
    descriptions = {check.name: check.description for check in RAW_CHECKS}
    rows = [part for found in findings for part in (found.parts or (found,))]
    session.run(
        "ops/transforms/record_checks",
        {
            "tables": [row.table for row in rows],
            "checks": [row.check for row in rows],
            "descriptions": [row.description or descriptions.get(row.check) for row in rows],
            "passed": [row.passed for row in rows],
            "checked": [row.checked for row in rows],
            "failed": [row.failed for row in rows],
            "details": [_json(row.facts) for row in rows],
            "severities": [row.severity for row in rows],
            "run_id": run_id,
        },
        table="data_quality_checks",
    )


def _json(facts: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in facts.items() if value is not None}, default=str)


def _full(spec: TableSpec) -> str:
    return f"raw.{spec.raw_name}"


def _composed(
    session: Session, name: str, spec: TableSpec, params: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    from psycopg2 import sql

    text = sql.SQL(statement(name)).format(table=sql.Identifier("raw", spec.raw_name))
    return _execute(session, text, params)


def _execute(session: Session, text: Composable, params: dict[str, Any] | None) -> list[tuple[Any, ...]]:
    with session.connection.cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall()
