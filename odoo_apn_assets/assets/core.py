"""The tables of CORE: what was mirrored, every id resolved to a name. Each follows the rows of RAW that changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from odoo_apn_assets.core import CORE_READERS, LEASE, RULES, Transformed, transform
from resources.ddl import table_metadata
from resources.leases import Lease, lease
from resources.postgres import PostgresResource
from resources.run_metadata import materialized
from resources.sql import Session

FOLLOWS_THE_SYNC = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=48), warn_window=timedelta(hours=26)
)


class CoreConfig(dg.Config):
    """How a table of CORE is brought in line with RAW."""

    full: bool = Field(
        default=False, description="Look at every row, not only at those that changes of RAW touch."
    )


def described(table: str) -> dict[str, Any]:
    """What an asset of CORE carries beside its function."""
    return {
        "key": dg.AssetKey(["core", table]),
        "deps": [dg.AssetKey(["raw", name]) for name in CORE_READERS[table]],
        "group_name": "core",
        "kinds": {"postgres", "sql"},
        "owners": ["team:odoo-apn-data"],
        "freshness_policy": FOLLOWS_THE_SYNC,
        "metadata": table_metadata("core", table),
        "code_version": RULES,
        "pool": "odoo_apn_writer",
    }


@contextmanager
def writing(
    context: dg.AssetExecutionContext, warehouse: PostgresResource
) -> Iterator[tuple[Session, Lease]]:
    """A session on the warehouse and the lease on CORE."""
    holder = f"{context.asset_key.to_user_string()} {context.run_id}"
    with (
        lease(warehouse.settings(), LEASE, None, holder=holder, execution_id=context.run_id) as taken,
        warehouse.session(holder) as session,
    ):
        yield session, taken


@dg.asset(**described("aws_accounts"))
def aws_accounts(
    context: dg.AssetExecutionContext, config: CoreConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per 12-digit AWS account of Odoo, and per one that only APN's end users know.

    Company, partner, salesperson and payer by name. Numbers that are not 12 digits, and doubles, are in ops.quarantine.
    """
    return _transformed(context, config, warehouse, "aws_accounts")


@dg.asset(**described("odoo_opportunities"))
def odoo_opportunities(
    context: dg.AssetExecutionContext, config: CoreConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per opportunity of Odoo, archived ones too, mere leads not; every id resolved to a name.

    Those whose texts or numbers do not fit are in ops.quarantine.
    """
    return _transformed(context, config, warehouse, "odoo_opportunities")


_ACE = described("ace_opportunities")


@dg.asset(**{**_ACE, "deps": [*_ACE["deps"], aws_accounts]})
def ace_opportunities(
    context: dg.AssetExecutionContext, config: CoreConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per opportunity of APN, with the name of its AWS account. What AWS masks is null.

    Those whose texts or numbers do not fit are in ops.quarantine.
    """
    return _transformed(context, config, warehouse, "ace_opportunities")


def _transformed(
    context: dg.AssetExecutionContext, config: CoreConfig, warehouse: PostgresResource, target: str
) -> dg.MaterializeResult:
    with writing(context, warehouse) as (session, taken):
        found: Transformed = transform(session, target, taken, full=config.full)
    return materialized(**asdict(found))
