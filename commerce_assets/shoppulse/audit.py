"""The audit trail verified: from the database or from a tenant's export, link by link, without trust in either.

    python -m commerce_assets.shoppulse.audit verify [--tenant TENANT] [--since-anchor]
    python -m commerce_assets.shoppulse.audit verify --from-export FILE

Belongs here: how the hashes are made (the same as in sql/shoppulse/functions/audit.sql, written a second time so that
neither vouches for itself), what is wrong with a chain, and which chains may be anchored. Does not belong here: writing
entries; the anchors' objects on S3.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from commerce_assets.shoppulse.anchors import Anchor, AnchorStore
from resources.database import connect
from resources.failures import PipelineError, permanent
from resources.settings import anchor_bucket, aws_settings, database_settings, read_env_file
from resources.sql import Session, statement

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ERASED = "tenant.erased"
"""The action of the entry that an erasure leaves: before it, and only before it, entries may be without content."""
BATCH = 2000
ANCHORED_WITHIN_HOURS = 2.0
"""Chains are anchored every hour: one with older links and no anchor has lost it, or never got one."""


class Row(NamedTuple):
    """One entry and the link that it belongs to, as text: a line of an export, a row of `audit_rows`."""

    seq: int
    link_id: str
    entries: int
    entries_hash: str
    chained_at: str
    prev_hash: str | None
    hash: str
    link_position: int | None  # None, like all that follows: the link has no entry left
    log_id: str | None
    created_at: str | None
    user_id: str | None
    login: str | None
    action: str | None
    resource_type: str | None
    resource_id: str | None
    ip_address: str | None
    details: str | None
    content_salt: str | None
    content_hash: str | None
    entry_hash: str | None


@dataclass(frozen=True)
class Head:
    """The last link as the database keeps it."""

    seq: int
    hash: str | None
    entries: int


@dataclass(frozen=True)
class Finding:
    """The first thing that is wrong with a tenant's chain: `seq` of the link, `log_id` of the entry if it is one."""

    tenant_id: str
    seq: int | None
    log_id: str | None
    what: str

    def __str__(self) -> str:
        place = [f"tenant {self.tenant_id}"]
        place += [f"link {self.seq}"] if self.seq is not None else []
        place += [f"entry {self.log_id}"] if self.log_id is not None else []
        return f"{', '.join(place)}: {self.what}"


@dataclass(frozen=True)
class Verdict:
    """What was looked at, where the chain ends, and the finding; None when all of it is whole."""

    tenant_id: str
    links: int
    entries: int
    last: Head
    finding: Finding | None
    anchors: int = 0  # on S3, that the chain was compared with
    warning: str | None = None  # the chain may be whole, and nothing outside of the database says so


class _Broken(Exception):
    def __init__(self, seq: int | None, log_id: str | None, what: str) -> None:
        super().__init__(what)
        self.seq, self.log_id, self.what = seq, log_id, what


def _hashed(kind: str, *fields: object) -> str:
    """The sha256 of a text of fields: each its length in bytes, a colon, itself; a dash for none."""
    parts = [f"shoppulse.audit.{kind}.1"]
    for value in fields:
        text = None if value is None else str(value)
        parts.append("-" if text is None else f"{len(text.encode())}:{text}")
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def content_hash(row: Row) -> str:
    """The hash of what can be taken out of an entry."""
    return _hashed("content", row.content_salt, row.resource_id, row.ip_address, row.details)


def entry_hash(tenant_id: str, row: Row) -> str:
    """The hash of an entry."""
    return _hashed(
        *("entry", tenant_id, row.link_id, row.link_position, row.log_id, row.created_at, row.user_id),
        *(row.login, row.action, row.resource_type, row.content_hash),
    )


def link_hash(tenant_id: str, row: Row) -> str:
    """The hash of a link."""
    return _hashed(
        *("link", tenant_id, row.seq, row.link_id, row.entries, row.entries_hash, row.chained_at),
        row.prev_hash,
    )


def verify_chain(
    tenant_id: str,
    rows: Iterable[Row],
    *,
    after: Head | None = None,
    head: Head | None = None,
    anchors: Mapping[int, Anchor] | None = None,
) -> Verdict:
    """Verify links in order, from the first or from `after`, against head and anchors; stop at the first fault.

    Holds one row at a time. `anchors`: by seq; those before `after` are not looked at.
    """
    chain = _Chain(tenant_id, after or Head(0, None, 0), anchors or {})
    finding = None
    try:
        for _, entries in groupby(rows, key=lambda row: row.seq):
            chain.link(entries)
        chain.end(head)
    except _Broken as broken:
        finding = Finding(tenant_id, broken.seq, broken.log_id, broken.what)
    return Verdict(tenant_id, chain.links, chain.entries, chain.last, finding)


class _Chain:
    """The state of one verification."""

    def __init__(self, tenant_id: str, last: Head, anchors: Mapping[int, Anchor]) -> None:
        self.tenant_id, self.last, self.anchors = tenant_id, last, anchors
        self.links = self.entries = 0
        self._anchored = last.seq  # the newest link known to be as it was anchored
        self._emptied: tuple[int, str | None] | None = None  # the first entry without content

    def link(self, rows: Iterator[Row]) -> None:
        first = next(rows)
        seq = first.seq
        if seq != self.last.seq + 1:
            raise _Broken(self.last.seq + 1, None, f"the link is missing; the next one there is {seq}")
        if first.link_position is None:
            raise _Broken(seq, None, f"its {first.entries} entries are missing")
        rolled, position = b"", 0
        for row in self._chained([first], rows):
            position += 1
            self._entry(row, position)
            rolled = hashlib.sha256(rolled + bytes.fromhex(row.entry_hash or "")).digest()
        if position < first.entries:
            raise _Broken(seq, None, f"entry {position + 1} of {first.entries} is missing")
        if rolled.hex() != first.entries_hash:
            raise _Broken(
                seq, first.log_id, "its entries are not those that were chained (altered with their hashes)"
            )
        if first.prev_hash != self.last.hash:
            raise _Broken(seq, first.log_id, f"the link does not follow link {self.last.seq}")
        if link_hash(self.tenant_id, first) != first.hash:
            raise _Broken(seq, first.log_id, "the link's own columns were altered")
        self.last = Head(seq, first.hash, self.last.entries + position)
        self.links += 1
        self.entries += position
        self._compare(first)

    @staticmethod
    def _chained(first: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
        yield from first
        yield from rest

    def _entry(self, row: Row, position: int) -> None:
        if position > row.entries:
            raise _Broken(row.seq, row.log_id, f"the entry was put into a link of {row.entries} entries")
        if row.link_position != position:
            raise _Broken(row.seq, None, f"entry {position} of {row.entries} is missing")
        if entry_hash(self.tenant_id, row) != row.entry_hash:
            raise _Broken(row.seq, row.log_id, "the entry was altered")
        if row.content_salt is not None:
            if content_hash(row) != row.content_hash:
                raise _Broken(
                    row.seq, row.log_id, "the entry was altered (details, resource_id or ip_address)"
                )
        elif (row.resource_id, row.ip_address, row.details) != (None, None, None):
            raise _Broken(row.seq, row.log_id, "the entry was altered (content without its salt)")
        elif self._emptied is None:
            self._emptied = (row.seq, row.log_id)
        if row.action == ERASED:
            self._emptied = None

    def _compare(self, row: Row) -> None:
        anchor = self.anchors.get(row.seq)
        if anchor is None:
            return
        if (anchor.hash, anchor.entries) != (row.hash, self.last.entries):
            since = f"between link {self._anchored + 1} and link {row.seq}"
            raise _Broken(
                row.seq,
                row.log_id,
                f"the chain was computed anew {since}: it is not what was anchored at {anchor.time}",
            )
        self._anchored = row.seq

    def end(self, head: Head | None) -> None:
        newest = max(self.anchors, default=0)
        if newest > self.last.seq:
            anchor = self.anchors[newest]
            gone = anchor.entries - self.last.entries
            raise _Broken(
                self.last.seq + 1,
                None,
                f"the tail is cut: links {self.last.seq + 1} to {newest} ({gone} entries) were there at {anchor.time}",
            )
        if head is not None and head != self.last:
            raise _Broken(
                self.last.seq + 1,
                None,
                f"the chain ends with link {self.last.seq} ({self.last.entries} entries), the head says "
                f"link {head.seq} ({head.entries} entries)",
            )
        if self._emptied is not None:
            raise _Broken(*self._emptied, "the entry's content was taken out, and no erasure is on record")


def verify_database(
    connection: Connection,
    anchors: AnchorStore | None,
    *,
    tenant: str | None = None,
    since_anchor: bool = False,
) -> Iterator[Verdict]:
    """Verify every tenant's chain, or one's, in one snapshot; a row at a time.

    `since_anchor`: only what came after the newest anchor, which was verified before it was anchored; an entry that was
    put in with an older time is found by the whole verification. A tenant that only the anchors know has lost it all.
    """
    session = Session(lambda retry: connection)
    with connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        # All rows are read. Planned for the first ones, and before an ANALYZE, 860 entries a second came, not 20,000.
        cursor.execute("set local cursor_tuple_fraction = 1")
        heads = _heads(session, tenant)
        for name in anchors.tenants() if anchors is not None else ():
            if tenant in (None, name):
                heads.setdefault(name, (None, None))
        for name in sorted(heads):
            head, noted = heads[name]
            known = _known(anchors, name, since_anchor)
            verdict = _verify_tenant(session, name, head, noted, known, since_anchor)
            warning = None
            if anchors is not None:
                newest = max(known, default=None)
                warning = _missing(session, name, noted, newest, ANCHORED_WITHIN_HOURS)
            yield replace(verdict, anchors=len(known), warning=warning)


def _heads(session: Session, tenant: str | None) -> dict[str, tuple[Head | None, Anchor | None]]:
    """By tenant the head, and what was last anchored as the database noted it."""
    found = session.run("shoppulse/checks/audit_tenants", {"tenant": tenant}, table="audit_heads")
    return {
        name: (
            None if seq is None else Head(seq, digest, entries),
            None if noted[0] is None else Anchor(name, *noted),
        )
        for name, seq, digest, entries, *noted in found
    }


def _known(anchors: AnchorStore | None, tenant: str, since_anchor: bool) -> dict[int, Anchor]:
    if anchors is None:
        return {}
    if not since_anchor:
        return anchors.of_tenant(tenant)
    newest = anchors.newest(tenant)
    return {} if newest is None else {newest.seq: newest}


def _missing(
    session: Session, tenant: str, noted: Anchor | None, newest: int | None, hours: float
) -> str | None:
    """What there should be on S3 and is not, if anything; `newest`: the highest link that has an anchor there."""
    if noted is not None and noted.seq > (newest or 0):
        there = "has no anchor" if newest is None else f"ends with link {newest}"
        return f"link {noted.seq} was anchored at {noted.time}, and S3 {there}: anchors were lost"
    if newest is not None:
        return None
    began = session.run(
        "shoppulse/checks/audit_first_link", {"tenant": tenant, "hours": hours}, table="audit_chain"
    )
    if not began or not began[0][1]:
        return None
    return f"there are links since {began[0][0]}, and no anchor: anchors were lost, or none was ever written"


def missing_anchors(
    connection: Connection, anchors: AnchorStore, *, hours: float = ANCHORED_WITHIN_HOURS
) -> tuple[int, dict[str, str]]:
    """How many tenants have an audit trail, and what is missing on S3 by tenant. Verifies nothing.

    Missing: any anchor of a chain with links older than `hours`, or the one that the database noted last.
    """
    session = Session(lambda retry: connection)
    found: dict[str, str] = {}
    with connection:
        heads = _heads(session, None)
        for name, (_, noted) in sorted(heads.items()):
            newest = anchors.newest(name)
            what = _missing(session, name, noted, newest.seq if newest is not None else None, hours)
            if what is not None:
                found[name] = what
    return len(heads), found


def _verify_tenant(
    session: Session,
    tenant: str,
    head: Head | None,
    noted: Anchor | None,
    known: Mapping[int, Anchor],
    since_anchor: bool,
) -> Verdict:
    after = None
    if known and since_anchor:
        newest = known[max(known)]
        after = Head(newest.seq, newest.hash, newest.entries)
    if noted is not None:
        same = known.get(noted.seq, noted)
        if (same.hash, same.entries) != (noted.hash, noted.entries):
            what = f"the database says that another link was anchored than was at {same.time}"
            return Verdict(tenant, 0, 0, after or Head(0, None, 0), Finding(tenant, noted.seq, None, what))
        known = {noted.seq: noted, **known}
    since = None
    if after is not None:
        place = {"tenant": tenant, "seq": after.seq}
        link = session.run("shoppulse/checks/audit_link", place, table="audit_chain")
        if not link or link[0][0] != after.hash:
            anchor = known[after.seq]
            return Verdict(tenant, 0, 0, after, _against_anchor(session, tenant, anchor, bool(link)))
        since = link[0][1]
    with session.connection.cursor(f"audit_rows_{id(known)}") as cursor:
        cursor.itersize = BATCH
        place = {"tenant": tenant, "after": after.seq if after else 0}
        cursor.execute(statement("shoppulse/checks/audit_rows"), place)
        verdict = verify_chain(tenant, map(Row._make, cursor), after=after, head=head, anchors=known)
    if verdict.finding is not None:
        return verdict
    forged = session.run(
        "shoppulse/checks/audit_forged", {"tenant": tenant, "since": since}, table="audit_logs"
    )
    if forged:
        finding = Finding(tenant, None, forged[0][0], "the entry belongs to no link: it was put in by hand")
        return Verdict(tenant, verdict.links, verdict.entries, verdict.last, finding)
    if head is None and verdict.last.seq > 0:
        finding = Finding(tenant, verdict.last.seq, None, "the head of the chain is missing")
        return Verdict(tenant, verdict.links, verdict.entries, verdict.last, finding)
    return verdict


def _against_anchor(session: Session, tenant: str, anchor: Anchor, there: bool) -> Finding:
    if there:
        what = f"the chain was computed anew: it is not what was anchored at {anchor.time}"
        return Finding(tenant, anchor.seq, None, what)
    last = session.run("shoppulse/checks/audit_last_link", {"tenant": tenant}, table="audit_chain")
    ends = last[0][0] if last else 0
    if ends > anchor.seq:
        return Finding(tenant, anchor.seq, None, f"the link is missing; it was anchored at {anchor.time}")
    what = f"the tail is cut: links {ends + 1} to {anchor.seq} were there at {anchor.time}"
    return Finding(tenant, ends + 1, None, what)


@dataclass
class Anchored:
    """What became of the chains: `refused` are the findings of those that are not whole, ten at most."""

    tenants: int = 0
    written: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    """By tenant what was missing on S3 before; ten at most."""


def anchor_chains(connection: Connection, anchors: AnchorStore) -> Anchored:
    """Verify every chain since its newest anchor and anchor where it ends now, unless it is broken or has not moved.

    The database notes what was anchored, so that a later loss of the anchors shows. A run that was killed in between
    leaves that to the next one.
    """
    whole: list[tuple[str, Head]] = []
    done = Anchored()
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for verdict in verify_database(connection, anchors, since_anchor=True):
        done.tenants += 1
        last = verdict.last
        if verdict.warning is not None and len(done.lost) < 10:
            done.lost[verdict.tenant_id] = verdict.warning
        if verdict.finding is None and last.hash is not None:
            whole.append((verdict.tenant_id, last))
        if verdict.finding is not None:
            done.refused += [str(verdict.finding)] if len(done.refused) < 10 else []
        elif last.hash is None or not verdict.links:
            done.unchanged += 1
        else:
            anchors.write(Anchor(verdict.tenant_id, last.seq, last.hash, last.entries, now))
            done.written += 1
    session = Session(lambda retry: connection)
    for tenant, last in whole:  # a transaction each: nobody's commit waits for another tenant's
        place = {"tenant": tenant, "seq": last.seq, "hash": last.hash}
        with connection:
            session.run("shoppulse/transforms/note_anchored", place, table="audit_heads")
    return done


def verify_export(path: Path) -> Verdict:
    """Verify audit_trail.jsonl of an export: its first line says whose it is, where it ends, what was anchored."""
    doing = f"verifying {path}"
    do_next = "Give the file audit_trail.jsonl, as `tenants export` wrote it."
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(next(file))
            head, anchored = Head(**first["head"]), first["anchor"]
            anchors = {anchored["seq"]: Anchor(first["tenant_id"], **anchored)} if anchored else {}
            lines = (Row(**json.loads(line)) for line in file)
            verdict = verify_chain(first["tenant_id"], lines, head=head, anchors=anchors)
            return replace(verdict, anchors=len(anchors))
    except OSError as error:
        raise permanent(doing, found=error.strerror or type(error).__name__, do_next=do_next) from error
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise permanent(doing, found="lines that are none of an export", do_next=do_next) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when every chain is whole, 2 when one is not, 3 when anchors are missing, 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m commerce_assets.shoppulse.audit",
        description="Verify the audit trail against itself and against what was anchored on S3.",
    )
    verify = parser.add_subparsers(dest="command", required=True).add_parser("verify")
    verify.add_argument("--tenant", help="only this one's")
    verify.add_argument("--since-anchor", action="store_true", help="only what came after the newest anchor")
    verify.add_argument("--from-export", type=Path, help="a file audit_trail.jsonl; no database is asked")
    chosen = parser.parse_args(arguments)
    try:
        return _tell(_verdicts(chosen))
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _verdicts(chosen: Any) -> Iterator[Verdict]:
    if chosen.from_export is not None:
        yield verify_export(chosen.from_export)
        return
    read_env_file()
    store = AnchorStore(anchor_bucket(), aws_settings())
    connection = connect(database_settings("COMMERCE"), application_name="audit")
    try:
        yield from verify_database(connection, store, tenant=chosen.tenant, since_anchor=chosen.since_anchor)
    finally:
        connection.close()
        store.close()


def _tell(verdicts: Iterator[Verdict]) -> int:
    seen = broken = missing = 0
    for verdict in verdicts:
        seen += 1
        compared = f"compared with {_counted(verdict.anchors)}"
        if verdict.finding is None:
            sys.stdout.write(
                f"tenant {verdict.tenant_id}: whole, {verdict.links} links with {verdict.entries} entries looked at, "
                f"{compared}, ends with link {verdict.last.seq} {verdict.last.hash}\n"
            )
        else:
            broken += 1
            sys.stdout.write(f"BROKEN {verdict.finding} ({compared})\n")
        if verdict.warning is not None:
            missing += 1
            sys.stdout.write(f"WARNING tenant {verdict.tenant_id}: {verdict.warning}\n")
    if not seen:
        sys.stdout.write("no audit trail\n")
    if broken:
        return 2
    return 3 if missing else 0


def _counted(anchors: int) -> str:
    if not anchors:
        return "no anchor"
    return f"{anchors:,} anchors" if anchors > 1 else "1 anchor"


if __name__ == "__main__":
    sys.exit(main())
