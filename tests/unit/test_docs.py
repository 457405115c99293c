"""What the documents list is what the code has: a table that lags behind misleads whoever is called at night."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import dagster as dg
import pytest

from fullbay_assets import checks
from fullbay_assets.rules import RULES
from sandbox.fullbay.server import CONTROLS, FAULTS

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "infra").rglob("*.md")),
]


def test_the_rules_in_the_document_are_the_rules_of_the_code() -> None:
    text = (ROOT / "docs" / "fullbay.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| `([A-Z0-9_]+)` \| (.+) \| (LOW|MEDIUM|HIGH|CRITICAL) \| (yes|no) \|$", text, re.MULTILINE
    )
    assert listed == [
        (rule.code, rule.description, rule.impact, "yes" if rule.money else "no") for rule in RULES.values()
    ]


def test_the_checks_in_the_document_are_the_checks_of_the_code() -> None:
    text = (ROOT / "docs" / "fullbay.md").read_text(encoding="utf-8")
    row = r"^\| `(\w+)` \| `(\w+)` \| (blocks|error|warns) \| (.+) \|$"
    listed = {
        (name, asset, kind == "blocks", words)
        for name, asset, kind, words in re.findall(row, text, re.MULTILINE)
    }
    assert listed == {
        (spec.name, spec.asset_key.to_user_string(), spec.blocking, spec.description)
        for check in vars(checks).values()
        if isinstance(check, dg.AssetChecksDefinition)
        for spec in check.check_specs
    }


def test_every_fault_and_control_of_the_sandbox_is_documented() -> None:
    text = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [kind for kind in FAULTS if f"`{kind}`" not in text] == []
    assert [path for path in CONTROLS if path not in text] == []


def test_every_direct_dependency_has_a_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([a-z0-9_-]+) \|", text, re.MULTILINE) == [
        re.split(r"[\[<>=]", name)[0] for name in required
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    missing = [
        target
        for target in targets
        if not (document.parent / target).exists() and not target.endswith(".png")
    ]
    assert not missing
