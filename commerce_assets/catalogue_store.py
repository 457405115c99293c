"""One upload's way into the catalogue and out of it again: plan, hold, apply, complete, undo.

Belongs here: the order of the statements of sql/commerce/transforms, the policy that holds an upload back, and what is
told when a step cannot be done. Does not belong here: reading files, the rules for a row, S3, DynamoDB, or Dagster.

Every function works inside a transaction of the caller's (`Session.transaction`), so that its stage and its lease are
checked and kept with the data; rolled back, nothing has happened. No row travels to this process but capped examples.

Uploads of one vendor wait for each other; so do all uploads that give a product a SKU it did not have. That makes the
database the judge of who was first: the loser looks after the winner has committed, and his rows get the code.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from commerce_assets.rules import UPLOAD_REFUSED
from resources.failures import permanent, transient

if TYPE_CHECKING:
    from resources.sql import Session

DUPLICATE_SKU = "DUPLICATE_SKU"

OPTIONAL_COLUMNS = (
    "subcategory",
    "description",
    "brand",
    "compare_at_price",
    "unit",
    "weight_kg",
    "dimensions_cm",
    "image_url",
)
"""Columns that a file may lack: the products that it names keep theirs."""

MANY_ROWS = 5_000
"""From here on a file is compared with the whole catalogue (0.5 s for a million products), not looked up row by row."""

_VERDICTS = ("accepted", "updated", "unchanged")

MOST_NAMED = 10
"""Products that a refusal names."""


@dataclass(frozen=True)
class HoldPolicy:
    """When an upload waits for release. Shares are of the vendor's catalogue before the upload, from 0 to 1.

    Held: more than `prices_share` of the vendor's prices move by more than `price_change` (0.5: by half, up or down),
    or more than `stock_share` of the products that he has in stock lose all of it; in both cases at least
    `minimum_products` of them, so that a vendor of five products may do with them what he wants.
    """

    prices_share: float = 0.2
    price_change: float = 0.5
    stock_share: float = 0.3
    minimum_products: int = 20


@dataclass(frozen=True)
class Applied:
    """What became of the rows of an upload; each is counted once. `held`: why nothing was applied (None: it was);
    the counts then say what a release would do."""

    accepted: int
    updated: int
    unchanged: int
    rejected: int
    held: str | None = None

    @property
    def rows(self) -> int:
        return self.accepted + self.updated + self.unchanged + self.rejected


@dataclass(frozen=True)
class Difference:
    """What an upload would do to one product. `changes`: column -> [text before, text after]."""

    row_number: int
    vendor_product_id: str
    changes: dict[str, list[str | None]]


@dataclass(frozen=True)
class Preview:
    """What `apply_upload` would do. `codes`: of rejected rows, by their first code; `differences`: the first few."""

    applied: Applied
    codes: dict[str, int] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Completed:
    """The record of a finished upload. `status`: completed, partial or failed."""

    valid_records: int
    error_records: int
    status: str


@dataclass(frozen=True)
class Undone:
    """Products that got their values back, and products that left the catalogue again."""

    restored: int
    removed: int


def apply_upload(
    session: Session,
    upload_id: str,
    vendor_id: str,
    *,
    hold: HoldPolicy | None = HoldPolicy(),
    released: bool = False,
) -> Applied:
    """Bring the valid rows of commerce.staged_rows into the catalogue, inside a transaction of the caller's.

    A row is of a product that the vendor has (vendor_product_id) or of a new one; only products that differ are
    written, each with its difference in commerce.product_changes. A row that the catalogue cannot take is rejected
    with a code; an optional column named in `absent_columns` of the upload's metadata stays as it is in the catalogue.
    Run again after its commit it changes nothing and returns the same counts.

    Held by `hold` (None: never), unless `released` or `release` was called: then nothing but the reason is written, in
    the upload's metadata under `held`.

    Raises PermanentError when the upload is unknown, another vendor's, or was undone; TransientError when somebody
    wrote to the catalogue meanwhile without waiting for his turn.
    """
    import psycopg2.errors

    doing = f"applying the upload {upload_id}"
    store = _Catalogue(session, upload_id, vendor_id, doing)
    try:
        metadata = store.begin()
        if "applied" in metadata:
            return Applied(*metadata["applied"]["counts"])
        plan = store.plan(metadata, hold)
        held = None if released or "released_at" in metadata else plan.held
        if held is not None:
            store.run("note_held", reason=held)
            return Applied(*plan.counts, held=held)
        if "undone_at" in metadata and plan.to_insert + plan.to_update:
            raise permanent(
                doing,
                found="it was applied and undone before",
                do_next="Upload the file again: it is a new upload then, which can be undone in its turn.",
            )
        store.write(metadata, plan)
        return Applied(*plan.counts)
    except psycopg2.errors.UniqueViolation as error:
        raise transient(
            doing,
            found=f"somebody else's product took {error.diag.constraint_name} while this upload was written",
            do_next="It is applied again from the start; the row that came second gets its code.",
        ) from error


def preview_upload(
    session: Session,
    upload_id: str,
    vendor_id: str,
    *,
    hold: HoldPolicy | None = HoldPolicy(),
    examples: int = 10,
) -> Preview:
    """Say what `apply_upload` would do to the staged rows; writes nothing but a temporary table of the transaction.

    For a trial of a file: open the upload, stage its rows, call this, and roll all of it back.
    """
    store = _Catalogue(session, upload_id, vendor_id, f"previewing the upload {upload_id}")
    metadata = store.begin()
    plan = store.plan(metadata, hold)
    codes = dict(store.run("count_planned_codes"))
    found = store.run("show_planned_changes", limit=examples, absent=_absent(metadata))
    return Preview(
        Applied(*plan.counts, held=plan.held), codes, tuple(Difference(*difference) for difference in found)
    )


def release(session: Session, upload_id: str, *, over_newer: bool = False) -> bool:
    """Let a held upload go into the catalogue at its next `apply_upload`; False when it is not held or was released.

    Raises PermanentError when there is no such upload, or when one that came later has changed its products meanwhile,
    whose values it would put back to older ones; `over_newer`: that is meant.
    """
    doing = f"releasing the upload {upload_id}"
    _upload(session, upload_id, doing)
    newer = session.run(
        "commerce/transforms/find_newer_uploads", {"upload_id": upload_id}, table="commerce.upload_history"
    )
    if newer and not over_newer:
        named = "; ".join(
            f"{other} changed {products:,} of its products" for other, products in newer[:MOST_NAMED]
        )
        raise permanent(
            doing,
            found=f"uploads that came later: {named}",
            do_next="Refuse it with --refuse, or release it with --over-newer: its older values then stand.",
        )
    return bool(
        session.run(
            "commerce/transforms/note_released", {"upload_id": upload_id}, table="commerce.upload_history"
        )
    )


def refuse(session: Session, upload_id: str, reason: str) -> bool:
    """End a held upload: its valid rows are rejected with UPLOAD_REFUSED and `reason`; False when it is not held.

    Raises PermanentError when there is no such upload.
    """
    _upload(session, upload_id, f"refusing the upload {upload_id}")
    params = {"upload_id": upload_id, "reason": reason, "code": UPLOAD_REFUSED}
    if not session.run("commerce/transforms/note_refused", params, table="commerce.upload_history"):
        return False
    session.run("commerce/transforms/refuse_staged_rows", params, table="commerce.staged_rows")
    return True


def complete_upload(
    session: Session, upload_id: str, vendor_id: str, *, error_file_s3_key: str | None = None
) -> Completed:
    """Write the rejected rows to commerce.validation_errors and close the upload's record with one UPDATE.

    The key is kept only when rows were rejected. Run again it changes nothing.

    Raises PermanentError when rows are still waiting for the catalogue, or when the staged rows are not as many as
    the file has.
    """
    doing = f"completing the upload {upload_id}"
    store = _Catalogue(session, upload_id, vendor_id, doing)
    store.begin()
    _, status, valid, errors, metadata = _upload(session, upload_id, doing)
    if status != "processing":
        return Completed(valid, errors, status)
    ((waiting, valid, errors),) = store.run("count_staged_rows")
    if waiting:
        raise permanent(
            doing,
            found=f"{waiting} of its rows were not applied",
            do_next="Apply the upload first; one that is held has to be released before.",
        )
    store.run("join_by_hash")
    store.run("write_validation_errors")
    params = {
        "valid_records": valid,
        "error_records": errors,
        "error_file_s3_key": error_file_s3_key if errors else None,
    }
    written = store.run("complete_upload", **params)
    if not written:
        raise permanent(
            doing,
            found=f"{valid + errors} rows are staged, but the file has {metadata.get('expected_records')}",
            do_next="Stage the rows of the upload again, all of them, then apply and complete it.",
        )
    return Completed(valid, errors, written[0][1])


def note_staged(
    session: Session, upload_id: str, given: Sequence[str], columns: Collection[str], rows: int
) -> None:
    """Keep with an upload the header of its file, which names the cells of its staged rows, their number, and which
    optional columns the file lacks, so that its products do not lose theirs."""
    absent = [name for name in OPTIONAL_COLUMNS if name not in columns]
    session.run(
        "commerce/transforms/note_staged",
        {"upload_id": upload_id, "header": list(given), "absent": absent, "rows": rows},
        table="commerce.upload_history",
    )


def remove_staged_rows(session: Session, upload_id: str) -> int:
    """Delete what is staged of an upload: its answer is out, or it is staged anew. Returns the number of rows."""
    with session.connection.cursor() as cursor:
        session.run(
            "commerce/transforms/remove_staged_rows",
            {"upload_id": upload_id},
            table="commerce.staged_rows",
            cursor=cursor,
        )
        return int(cursor.rowcount)


def undo(session: Session, upload_id: str) -> Undone:
    """Give all products that the upload changed the values from before it, and remove those that it brought.

    Columns that it did not change stay as they are; a status follows the stock. What was there is kept in
    commerce.product_changes, kind `undo`. Undoing twice changes nothing the second time: both counts are 0.

    Raises PermanentError, and nothing is undone, when the upload is unknown, or still being worked on, or naming the
    products when: a later upload that was not undone changed one of them; another product has got the SKU or nobody
    may have the category that would come back; or a product is gone.
    """
    import psycopg2

    doing = f"undoing the upload {upload_id}"
    vendor_id, status, *_ = _upload(session, upload_id, doing)
    store = _Catalogue(session, upload_id, vendor_id, doing)
    metadata = store.begin()
    if "undone_at" in metadata:
        return Undone(0, 0)
    if status == "processing":
        raise permanent(
            doing,
            found="the upload is held or still being worked on",
            do_next="Wait until it is completed. A held upload has changed nothing.",
        )
    store.run("lock_skus")
    store.run("plan_undo")
    obstacles = store.run("find_undo_obstacles", limit=MOST_NAMED)
    if obstacles:
        total = obstacles[0][0]
        named = "; ".join(f"{product} {reason}" for _, product, reason in obstacles)
        raise permanent(
            doing,
            found=f"{total} products cannot go back: {named}{'; ...' if total > len(obstacles) else ''}",
            do_next="Undo the later upload first, or upload the right values for these products.",
        )
    try:
        removed, restored = store.undo()
    except psycopg2.IntegrityError as error:
        raise permanent(
            doing,
            found=f"the database refuses with {error.diag.constraint_name} of {error.diag.table_name}",
            do_next="A product was changed by hand, or is in use elsewhere: mend it, then undo again.",
        ) from error
    store.run("note_undone", restored=restored, removed=removed)
    return Undone(restored, removed)


@dataclass(frozen=True)
class _Plan:
    counts: tuple[int, int, int, int]
    to_insert: int
    to_update: int
    claims: bool
    """Whether products get SKUs that they did not have."""
    held: str | None

    @property
    def commonest(self) -> str:
        return _VERDICTS[self.counts.index(max(self.counts[:3]))]


class _Catalogue:
    """The statements for one upload; all methods run inside a transaction of the caller's."""

    def __init__(self, session: Session, upload_id: str, vendor_id: str, doing: str) -> None:
        self._session, self._doing = session, doing
        self._upload = {"upload_id": upload_id, "vendor_id": vendor_id}

    def run(self, name: str, **params: object) -> list[tuple[Any, ...]]:
        return self._session.run(
            f"commerce/transforms/{name}", self._upload | params, table="commerce.products"
        )

    def _write(self, name: str, **params: object) -> int:
        """Run a statement that writes; the number of rows written."""
        with self._session.connection.cursor() as cursor:
            self._session.run(
                f"commerce/transforms/{name}",
                self._upload | params,
                table="commerce.products",
                cursor=cursor,
            )
            return int(cursor.rowcount)

    def begin(self) -> dict[str, Any]:
        """Wait for the vendor's turn; the metadata of the upload, which is his."""
        self.run("tune_writes")
        self.run("lock_vendor")
        vendor, *_, metadata = _upload(self._session, self._upload["upload_id"], self._doing)
        if vendor != self._upload["vendor_id"]:
            raise permanent(
                self._doing,
                found=f"it is of the vendor {vendor}, not of {self._upload['vendor_id']}",
                do_next="Give the vendor who uploaded the file.",
            )
        return metadata

    def plan(self, metadata: dict[str, Any], hold: HoldPolicy | None) -> _Plan:
        """Fill the temporary table `catalogue_plan`: what is to become of each valid row."""
        if metadata.get("staged", 0) >= MANY_ROWS:
            self.run("join_by_hash")
        self.run("lock_categories")
        self.run("plan_upload", absent=_absent(metadata))
        self.run("analyze_plan")
        # Staging has told apart the rows with one key; rows that came another way are looked at here.
        ((products, skus),) = self.run("find_repeated_keys") if "staged" not in metadata else [(False, False)]
        if products:
            self.run("reject_repeated_products")
        # A row that is rejected for its product leaves its SKU to others: asked for again only if there was one.
        if products or skus:
            self.run("reject_repeated_skus")
        ((claims,),) = self.run("claims_skus")
        if claims:
            self.run("lock_skus")
            self.run("find_sku_holders")
            self.run("reject_taken_skus")
        (counted,) = self.run("count_plan", price_change=hold.price_change if hold else 0)
        accepted, updated, unchanged, rejected, moved, zeroed, to_insert, to_update = counted
        held = self._held(moved, zeroed, hold) if hold else None
        return _Plan((accepted, updated, unchanged, rejected), to_insert, to_update, claims, held)

    def _held(self, moved: int, zeroed: int, hold: HoldPolicy) -> str | None:
        if max(moved, zeroed) < max(hold.minimum_products, 1):
            return None
        ((products, in_stock),) = self.run("count_vendor_products")
        reasons = []
        if moved >= hold.minimum_products and moved > hold.prices_share * products:
            reasons.append(
                f"{moved} of {products} prices move by more than {hold.price_change:.0%}"
                f" (allowed: {hold.prices_share:.0%} of them)"
            )
        if zeroed >= hold.minimum_products and zeroed > hold.stock_share * in_stock:
            reasons.append(
                f"{zeroed} of {in_stock} products in stock lose all of it (allowed: {hold.stock_share:.0%})"
            )
        return "; ".join(reasons) or None

    def write(self, metadata: dict[str, Any], plan: _Plan) -> None:
        """Carry out the plan."""
        if plan.to_update:
            self.run("log_updates", absent=_absent(metadata))
        if plan.claims:
            # Two products that swap their SKUs: the index would refuse the first one.
            self.run("park_skus")
        written = 0
        if plan.to_update:
            written = self._write("update_products", absent=_absent(metadata))
        if plan.to_insert:
            written += self._write("insert_products")
        if written != plan.to_insert + plan.to_update:
            raise transient(
                self._doing,
                found=f"{written} products were written where {plan.to_insert + plan.to_update} were to be",
                do_next="Somebody changed the catalogue meanwhile: the upload is applied again from the start.",
            )
        self.run("write_outcomes", commonest=plan.commonest, counts=list(plan.counts))

    def undo(self) -> tuple[int, int]:
        """Carry out the plan of an undo: the products removed and restored."""
        removed = self._write("undo_inserts")
        self.run("log_undone_updates")
        self.run("undo_park_skus")
        return removed, self._write("undo_updates")


def _absent(metadata: dict[str, Any]) -> list[str]:
    """The optional columns that the file lacks."""
    return [name for name in OPTIONAL_COLUMNS if name in metadata.get("absent_columns", ())]


def _upload(session: Session, upload_id: str, doing: str) -> tuple[str, str, int, int, dict[str, Any]]:
    """Vendor, status, valid and error records and metadata of an upload."""
    found = session.run(
        "commerce/transforms/read_upload", {"upload_id": upload_id}, table="commerce.upload_history"
    )
    if not found:
        raise permanent(
            doing, found="there is no such upload", do_next="Look for its id in commerce.upload_history."
        )
    vendor_id, status, valid, errors, metadata = found[0]
    return vendor_id, status, valid, errors, metadata
