"""The page docs/odoo_apn_checks.md, written from the code: a list kept by hand would lag behind.

Belongs here: the page's text. Does not belong here: what is checked. `python -m odoo_apn_assets.checks_document` writes
the page anew; a test holds the file against this module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from odoo_apn_assets.apn_rules import RULES, rules_of
from odoo_apn_assets.raw_quality import RAW_CHECKS, not_checkable, references
from odoo_apn_assets.specs import specs
from odoo_apn_assets.value_lists import listed_columns

PAGE = Path(__file__).resolve().parent.parent / "docs" / "odoo_apn_checks.md"

_INTRODUCTION = """\
# Checks of the Odoo and APN mirrors

<!-- Written by "python -m odoo_apn_assets.checks_document"; not by hand. -->

Each mirror in RAW is checked after it was synced. The result stands in Dagster, at the asset, and as a row in
`ops.data_quality_checks`, with the two numbers compared and the first ten keys that failed. All checks of one
source system run in one step (`odoo_mirror_checks`, `apn_mirror_checks`) and one transaction; a run that selects
some tables checks those.

Three views answer the usual questions, for analysts too:

```sql
select * from ops.sync_status where is_latest;
select table_name, check_type, records_failed, failure_details
from ops.validation_report where is_latest and not passed;
select table_name, pass_rate_7d, checks_failing, quarantine_open, drift_open, last_sync_age from ops.quality_metrics;
```

`ops.validation_report` is asked for one sync by `job_id`, for one run by `run_id`.
"""

_NOTES = """\
- `keys_are_unique` asks the catalogue of Postgres for a valid unique index on the key, which is as good as
  counting and costs nothing; a table without one is counted.
- `mirror_equals_source` compares the record of the last sync with the mirror as it is now: source rows = mirror
  rows + rows in quarantine that the mirror has no version of, live rows now = mirror rows, and the sums of the row
  hashes where the sync computed both. A mirror that was never synced does not pass.
- `every_id_resolves` looks for a target row that is still there; ids whose target is mirrored but marked as
  deleted are counted apart. Ids that point outside the mirror are listed as not checkable.
- `values_are_listed` splits cells that hold several values. Known other spellings (`aliases` in
  `odoo_apn_assets/catalogue/apn_enums.json`) are counted apart and pass. A state is compared only where the
  country is the United States.
- `rules_hold` is recorded rule by rule, as `rule CODE`, with the rule's severity. In Dagster it warns whatever the
  rule: the mirror is right, its source is not.
"""

_LIMITS = """\
A rule applies to a row when the row has something to check: null is never broken unless the rule says that a value
is needed. What AWS masks until a referral is accepted ("Accept To View") counts as null, and such a referral need
not be complete. *Visible*: written by the partner, or an accepted AWS referral. *Submitted*: a partner referral
whose review status is past Pending Submission. Limits that a column's type already sets (an e-mail address of 80
characters, a title of 255) have no rule.

Not checked:

- Postal codes of most countries: of the 149 formats that AWS knows, only that of the United States is here, and of
  its 59 countries without codes the well-known ones (`odoo_apn_assets/catalogue/apn_postal_codes.json`). Where a
  country has no codes, none or the older feed's 99999 is right.
- The text that goes with the competitor `*Other`, and contract dates: the tables have no column for them.
- The edits that AWS refuses while a record is under review, and a close date that was past when it was written but
  after the record's creation: the mirror holds one version of a row.
"""


def text() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, _checks(), _NOTES, _tables(), _rules()))


def _checks() -> str:
    rows = (
        (
            f"`{check.name}`",
            "blocks" if check.blocking else "warns",
            sum(check.applies(spec) for spec in specs()),
            check.description,
        )
        for check in RAW_CHECKS
    )
    return "## The checks\n\n" + _table(("check", "failure", "tables", "holds when it passes"), rows)


def _tables() -> str:
    rows = (
        (
            f"`raw.{spec.raw_name}`",
            sum(len(columns) for columns in references(spec).values()),
            len(not_checkable(spec)),
            len(listed_columns(spec)),
            len(rules_of(spec.raw_name)),
        )
        for spec in specs()
    )
    heads = ("mirror", "ids followed", "ids that lead outside", "coded columns", "rules")
    return "## What each mirror has\n\n" + _table(heads, rows)


def _rules() -> str:
    rows = (
        (
            f"`{rule.code}`",
            f"`{rule.table}`",
            rule.severity,
            rule.description,
            ", ".join(f"`{name}`" for name in rule.columns),
        )
        for rule in RULES
    )
    heads = ("rule", "table", "severity", "holds when", "columns")
    return f"## The {len(RULES)} validation rules of APN\n\n{_LIMITS}\n" + _table(heads, rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    head, *body = ("| " + " | ".join(map(str, line)) + " |\n" for line in (heads, *rows))
    return head + "|" + "---|" * len(heads) + "\n" + "".join(body)


def main() -> int:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(RAW_CHECKS)} checks, {len(RULES)} rules\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
