"""The size and the statements of the generated sources, without a server."""

from __future__ import annotations

import pytest

from odoo_apn_assets.specs import specs_of
from sandbox.odoo_apn import schema
from sandbox.odoo_apn.build import SYSTEMS, statements
from sandbox.odoo_apn.sources import source_urls, world_of
from sandbox.odoo_apn.world import World
from sandbox.processes import SandboxError


def test_the_sources_have_every_table_of_the_catalogue_and_all_its_columns() -> None:
    found = [spec for system in SYSTEMS for spec in schema.tables(system)]
    assert len(found) == 23
    assert sum(len(spec.columns) for spec in found) == 1321
    assert {spec.table for spec in found} == set(World().odoo) - {"res_users", "res_country"} | set(
        World().apn
    )


def test_a_scale_multiplies_and_single_tables_can_be_set() -> None:
    world = World.scaled(3, rows={"crm_lead": 7})
    assert world.odoo["account_move_line"] == 15_000
    assert world.odoo["crm_lead"] == 7
    assert world.apn["opportunity"] == 3_600
    assert world.odoo["crm_stage"] == 8


def test_a_table_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="crm_leads"):
        World.scaled(rows={"crm_leads": 7})


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_statements_follow_from_seed_and_size_alone(system: str) -> None:
    assert statements(system, World.scaled(2)) == statements(system, World.scaled(2))
    assert statements(system, World.scaled(2)) != statements(system, World.scaled(2, seed=1))


@pytest.mark.parametrize("scale", ["0", "-1", "many", "nan", "1e9"])
def test_a_scale_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(SandboxError, match="SCALE"):
        world_of(scale)


def test_no_lookup_column_is_missing_in_the_source() -> None:
    """The reader's rights name these columns; a typing error would only show on a server."""
    for spec in specs_of("odoo"):
        if spec.is_lookup:
            made = schema.USERS if spec.table == "res_users" else schema.COUNTRIES
            assert all(f" {column.name} " in made.replace("\n", " ") for column in spec.columns)


def test_passwords_of_the_sources_are_kept_and_other_addresses_left_alone() -> None:
    first = source_urls({}, 15433)
    assert source_urls(first, 15500) == {
        name: url.replace(":15433/", ":15500/") for name, url in first.items()
    }
    own = {"ODOO_DATABASE_URL": "postgresql://reader:secret@odoo.example:5432/live"}
    assert source_urls(own, 15433)["ODOO_DATABASE_URL"] == own["ODOO_DATABASE_URL"]
    assert source_urls(own, 15433)["APN_DATABASE_URL"].startswith("postgresql://apn_reader:")
