"""The sweep of numeric keys as bit maps, and which rows an incremental sync reads: between two real servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from resources.settings import DatabaseSettings
from tests.odoo_apn_pipeline import Mirror
from tests.odoo_apn_source import SourceServer

STAGE = "odoo_crm_stage"
EDGES = (-65, -64, -1, 0, 62, 63, 64, 127, 128, 2_147_483_647)
"""First and last keys of blocks of 64, below zero too, and the largest that an integer holds."""


@pytest.fixture
def odoo(
    odoo_admin: DatabaseSettings,
    odoo_source: DatabaseSettings,
    warehouse_as: Callable[[str], DatabaseSettings],
) -> Mirror:
    return Mirror("odoo", odoo_admin, odoo_source, warehouse_as("odoo_apn_etl"))


def add_edges(odoo: Mirror) -> None:
    odoo.at_source("delete from crm_stage where id = any (%s)", (list(EDGES),))
    odoo.at_source(
        "insert into crm_stage (id, name, write_date)"
        " select id, 'Stage ' || id, now() at time zone 'utc' from unnest(%s::integer[]) id",
        (list(EDGES),),
    )


@pytest.mark.parametrize("gone", EDGES)
def test_a_deleted_row_is_found_wherever_its_key_lies_in_a_block(odoo: Mirror, gone: int) -> None:
    add_edges(odoo)
    odoo.sync(STAGE)
    odoo.at_source("delete from crm_stage where id = %s", (gone,))
    # The row of the watermark must be there still, or every row is compared.
    odoo.in_warehouse(
        "update ops.mirror_state set watermark_id = (select min(id) from raw.odoo_crm_stage where id <> %s)"
        " where raw_table = 'odoo_crm_stage'",
        (gone,),
    )
    done = odoo.sync(STAGE).tables[STAGE]
    assert (done.deleted, done.inserted, done.updated) == (1, 0, 0)
    assert done.mirror_rows == done.source_rows
    assert odoo.in_warehouse("select id from raw.odoo_crm_stage where _deleted_at is not null") == [(gone,)]
    assert odoo.differences(STAGE) == {}


@pytest.mark.parametrize(
    ("table", "lost", "marked", "read"),
    [("crm_stage", [-65, 63, 64, 2_147_483_647], 127, 18), ("crm_lead", [1, 63, 64, 128], 127, 5)],
    ids=["many: all is read", "few: they are read"],
)
def test_rows_that_the_mirror_lost_come_back_with_the_next_incremental_sync(
    odoo: Mirror, table: str, lost: list[int], marked: int, read: int
) -> None:
    """Nothing of them has changed at the source since: only the sweep can tell that they are missing."""
    add_edges(odoo)
    odoo.sync(f"odoo_{table}")
    odoo.in_warehouse(f"delete from raw.odoo_{table} where id = any (%s)", (lost,))
    odoo.in_warehouse(f"update raw.odoo_{table} set _deleted_at = now() where id = %s", (marked,))
    done = odoo.sync(f"odoo_{table}").tables[f"odoo_{table}"]
    assert (done.method, done.inserted, done.revived, done.deleted) == ("incremental", 4, 1, 0)
    assert done.rows_read == read
    assert done.mirror_rows == done.source_rows
    assert odoo.differences(f"odoo_{table}") == {}


def test_rows_that_share_the_watermark_are_not_read_again(odoo: Mirror) -> None:
    """2,400 of 200,000 leads were sent and compared again with each sync: an edit of many rows stamps all alike."""
    odoo.sync("odoo_crm_lead")
    odoo.at_source("update crm_lead set write_date = (select max(write_date) from crm_lead) + interval '1 s'")
    first = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (first.method, first.rows_read) == ("incremental", first.source_rows)
    again = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (again.method, again.rows_read) == ("incremental", 0)
    before = odoo.in_warehouse("select watermark, watermark_id from ops.mirror_state")
    odoo.sync("odoo_crm_lead")
    assert odoo.in_warehouse("select watermark, watermark_id from ops.mirror_state") == before


def test_a_new_timeline_of_the_source_compares_every_row(odoo: Mirror) -> None:
    """After a failover that lost transactions, their numbers are given again: rows with them look old and are not."""
    odoo.sync("odoo_crm_lead")
    odoo.at_source("update crm_lead set name = 'Of the new timeline' where id = 5")
    odoo.in_warehouse(
        "update ops.mirror_state set source_xid = source_xid + 1000, source_identity ="
        " split_part(source_identity, '/', 1) || '/0/' || split_part(source_identity, '/', 3)"
    )
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.method, done.updated) == ("compare", 1)
    assert odoo.differences("odoo_crm_lead") == {}


def test_a_source_that_hides_its_timeline_is_followed_by_watermark_too(
    odoo: Mirror, source_server: SourceServer
) -> None:
    with source_server.server.session(odoo.admin.name) as connection, connection.cursor() as cursor:
        cursor.execute("revoke execute on function pg_control_checkpoint() from public")
    odoo.sync("odoo_crm_lead")
    odoo.at_source(
        "update crm_lead set write_date = (select max(write_date) from crm_lead) + interval '1 s' where id = 5"
    )
    # As if the edit's transaction number had been read already.
    odoo.in_warehouse("update ops.mirror_state set source_xid = source_xid + 1")
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.method, done.updated) == ("incremental", 1)
    assert odoo.differences("odoo_crm_lead") == {}
