"""A tenant's data handed over, or erased.

    python -m commerce_assets.shoppulse.tenants export TENANT --out FOLDER
    python -m commerce_assets.shoppulse.tenants erase TENANT --confirm TENANT

Both run as a member of shoppulse_maintenance (SHOPPULSE_MAINTENANCE_DB_USER), are on record in the tenant's audit
trail, and can be killed and run again.

Belongs here: the order of things, the files of an export, the tenant's objects on S3. Does not belong here: which rows
are a tenant's (`sql/shoppulse/functions/erasure.sql`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

from commerce_assets.objects import UploadStore
from commerce_assets.shoppulse.anchors import AnchorStore
from commerce_assets.shoppulse.audit import BATCH, Row
from resources.aws import ask
from resources.database import connect
from resources.failures import PipelineError, permanent, retrying
from resources.settings import (
    DatabaseSettings,
    anchor_bucket,
    aws_settings,
    database_settings,
    read_env_file,
    upload_bucket,
)
from resources.sql import Session, statement

T = TypeVar("T")
AUDIT_FILE = "audit_trail.jsonl"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export: a row a line."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass
class Erased:
    """What an erasure removed: rows by table, versions of objects on S3."""

    rows: dict[str, int] = field(default_factory=dict)
    objects: int = 0


def open_session(settings: DatabaseSettings) -> Session:
    """A session of maintenance; the caller closes it."""
    return Session(lambda retry: connect(settings, application_name="tenants", retry=retry))


def export_tenant(session: Session, anchors: AnchorStore, tenant: str, out: Path) -> list[ExportedFile]:
    """Write everything of a tenant, as of one moment, into a folder that is not there yet; all of it or none.

    A file a table, a JSON object a line; the audit trail as `audit verify --from-export` reads it; a manifest with
    counts and sha256. Raises PermanentError for an unknown tenant and a folder that holds something.
    """
    doing = f"exporting tenant {tenant}"
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise permanent(
            doing, found=f"{out} is there already", do_next="Give a folder that is not there yet."
        )
    _as_maintenance(session, tenant, doing, lambda: _note(session, tenant, "tenant.exported", None))
    # A folder of somebody else's name is not deleted: only what a killed export left.
    unfinished = out.with_name(f"{out.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700, parents=True)

    def write() -> list[ExportedFile]:
        tables = session.run("shoppulse/transforms/tenant_tables", table="tenants")
        files = [_export_table(session, tenant, name, keys, unfinished) for name, keys in tables]
        return [*files, _export_trail(session, anchors, tenant, unfinished)]

    files = _as_maintenance(session, tenant, doing, write, snapshot=True)
    manifest = {
        "tenant_id": tenant,
        "exported_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "files": [asdict(file) for file in files],
    }
    with _private(unfinished / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    if out.exists():
        out.rmdir()
    unfinished.rename(out)
    return files


def erase_tenant(session: Session, store: UploadStore, tenant: str) -> Erased:
    """Remove everything of a tenant but the links of his audit trail and the tombstones that they need.

    First the tenant is deactivated, then his objects go, then in one transaction his rows: an object that is left would
    be loaded again. Raises PermanentError for an unknown tenant.
    """
    doing = f"erasing tenant {tenant}"
    done = Erased()

    def begin() -> None:
        session.run("shoppulse/transforms/begin_erasure", {"tenant": tenant}, table="tenants")

    def erase() -> dict[str, int]:
        found = session.run("shoppulse/transforms/erase_tenant", {"tenant": tenant}, table="tenants")
        rows = {name: count for name, count in found if count}
        _note(session, tenant, "tenant.erased", {"rows": rows, "objects": done.objects})
        return rows

    _as_maintenance(session, tenant, doing, begin)
    done.objects = remove_objects(store, f"tenants/{tenant}/") if "/" not in tenant else 0
    done.rows = _as_maintenance(session, tenant, doing, erase)
    return done


def remove_objects(store: UploadStore, prefix: str) -> int:
    """Delete every version of every object under a prefix, and the marks of deletion; how many."""
    removed = 0
    while True:
        doing = f"deleting s3://{store.bucket}/{prefix}"
        page = _ask(lambda: store.client.list_object_versions(Bucket=store.bucket, Prefix=prefix), doing)
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not found:
            return removed
        names = [{"Key": one["Key"], "VersionId": one.get("VersionId") or "null"} for one in found]
        answer = _ask(
            lambda: store.client.delete_objects(
                Bucket=store.bucket,
                Delete={"Objects": names, "Quiet": True},  # noqa: B023 - called before names changes
            ),
            doing,
        )
        if answer.get("Errors"):
            refused = answer["Errors"][0]
            raise permanent(
                doing,
                found=f"{len(answer['Errors'])} objects are kept, the first is {refused['Key']}: {refused['Code']}",
                do_next="Lift what keeps them (object lock, a policy of the bucket), then erase again.",
            )
        removed += len(page.get("Versions", ()))


def _as_maintenance(
    session: Session, tenant: str, doing: str, work: Callable[[], T], *, snapshot: bool = False
) -> T:
    import psycopg2.errors

    def whole() -> T:
        if snapshot:
            session.run("shoppulse/transforms/take_snapshot", table="tenants")
        session.run("shoppulse/transforms/administer", {"tenant": tenant}, table="tenants")
        if not session.run("shoppulse/transforms/is_tenant", {"tenant": tenant}, table="tenants")[0][0]:
            raise unknown
        return work()

    unknown = permanent(
        doing, found="there is no such tenant", do_next="See shoppulse.tenants for those there are."
    )
    if not tenant:
        raise unknown

    try:
        return session.transaction(whole, doing=doing)
    except psycopg2.errors.InsufficientPrivilege as error:
        raise permanent(
            doing,
            found=str(error).splitlines()[0],
            do_next="Use a login that is a member of shoppulse_maintenance (SHOPPULSE_MAINTENANCE_DB_USER).",
        ) from error


def _note(session: Session, tenant: str, action: str, details: dict[str, Any] | None) -> None:
    params = {"tenant": tenant, "action": action, "details": json.dumps(details) if details else None}
    session.run("shoppulse/transforms/note_maintenance", params, table="audit_logs")


class _Counted:
    """A file that counts and hashes what goes through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.bytes, self._hash = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        self._hash.update(data)
        return self._file.write(data)

    def result(self, name: str, rows: int) -> ExportedFile:
        return ExportedFile(name, rows, self.bytes, self._hash.hexdigest())


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _export_table(
    session: Session, tenant: str, table: str, keys: Sequence[str], folder: Path
) -> ExportedFile:
    from psycopg2 import sql

    name = sql.Identifier("shoppulse", table)
    order = sql.SQL(", ").join(map(sql.Identifier, keys)) if keys else sql.SQL("1")
    # Quote and delimiter are bytes that JSON text never holds: each line is the JSON as it is.
    query = sql.SQL(
        "copy (select to_jsonb(t) from {} t where tenant_id = {} order by {})"
        " to stdout (format csv, quote e'\\x01', delimiter e'\\x02')"
    ).format(name, sql.Literal(tenant), order)
    with _private(folder / f"{table}.jsonl") as file, session.connection.cursor() as cursor:
        counted = _Counted(file)
        cursor.copy_expert(query, counted)
        return counted.result(f"{table}.jsonl", cursor.rowcount)


def _export_trail(session: Session, anchors: AnchorStore, tenant: str, folder: Path) -> ExportedFile:
    heads = session.run("shoppulse/checks/audit_tenants", {"tenant": tenant}, table="audit_heads")
    seq, digest, entries = heads[0][1:4] if heads else (0, None, 0)
    known = [anchor for anchor in anchors.of_tenant(tenant).values() if anchor.seq <= (seq or 0)]
    newest = max(known, key=lambda anchor: anchor.seq, default=None)
    anchor = asdict(newest) if newest else {}
    anchor.pop("tenant_id", None)
    first = {
        "tenant_id": tenant,
        "head": {"seq": seq, "hash": digest, "entries": entries},
        "anchor": anchor or None,
    }
    written = 0
    with (
        _private(folder / AUDIT_FILE) as file,
        session.connection.cursor("audit_trail") as cursor,
    ):
        counted = _Counted(file)
        counted.write(json.dumps(first, ensure_ascii=False).encode() + b"\n")
        cursor.itersize = BATCH
        cursor.execute(statement("shoppulse/checks/audit_rows"), {"tenant": tenant, "after": 0})
        for row in map(Row._make, cursor):
            written += 1
            counted.write(json.dumps(row._asdict(), ensure_ascii=False).encode() + b"\n")
        return counted.result(AUDIT_FILE, written)


def _ask(call: Callable[[], Any], doing: str) -> Any:
    return retrying(lambda: ask(call, doing=doing), doing=doing)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when it is done, 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m commerce_assets.shoppulse.tenants",
        description="Hand over or erase what the tenant analytics hold of a tenant.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="everything of a tenant as JSON lines, with a manifest")
    export.add_argument("tenant")
    export.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    erase = commands.add_parser(
        "erase", help="remove everything of a tenant; what stays is in docs/shoppulse.md"
    )
    erase.add_argument("tenant")
    erase.add_argument("--confirm", required=True, help="the tenant once more")
    chosen = parser.parse_args(arguments)
    if chosen.command == "erase" and chosen.confirm != chosen.tenant:
        parser.error(f"--confirm {chosen.confirm} is not the tenant {chosen.tenant}: nothing was erased")
    read_env_file()
    try:
        with closing(open_session(database_settings("SHOPPULSE_MAINTENANCE"))) as session:
            if chosen.command == "export":
                with closing(AnchorStore(anchor_bucket(), aws_settings())) as anchors:
                    files = export_tenant(session, anchors, chosen.tenant, chosen.out)
                said = [f"{file.file}: {file.rows} rows" for file in files]
            else:
                with closing(UploadStore(upload_bucket(), aws_settings())) as store:
                    done = erase_tenant(session, store, chosen.tenant)
                said = [f"{name}: {count} rows" for name, count in done.rows.items()]
                said += [f"objects on S3: {done.objects} versions"]
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
