"""`python -m commerce_assets.shoppulse.replay [--tenant T001] [--table orders]`: try quarantined rows again.

The rows go the way of a first delivery, so what was put right since (an order that came, a time zone, a rule) makes
them pass. With --files, refused files are read again too, by the next run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from commerce_assets.objects import UploadStore
from commerce_assets.shoppulse.deliver import delivering_tenant
from commerce_assets.shoppulse.deliveries import TABLES
from commerce_assets.shoppulse.loading import Loaded, Loading, dataset, reopen, replay
from resources.database import connect
from resources.failures import PipelineError
from resources.leases import lease
from resources.settings import DatabaseSettings, aws_settings, database_settings, read_env_file, upload_bucket
from resources.sql import Session


def replay_tables(
    warehouse: DatabaseSettings, store: UploadStore, tables: Sequence[str], tenant_id: str | None
) -> Loaded:
    """Try the quarantined rows of some tables again, each under its lease."""
    total = Loaded()
    session = Session(lambda retry: connect(warehouse, application_name="replay", retry=retry))
    try:
        for name in tables:
            table = TABLES[name]
            with lease(warehouse, dataset(table), None, holder="replay", execution_id=None) as held:
                total.add(replay(Loading(session, store, held, table), tenant_id=tenant_id, by_hand=True))
    finally:
        session.close()
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when it was done, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.shoppulse.replay", description=__doc__)
    parser.add_argument("--tenant", help="id of the tenant (default: all)")
    parser.add_argument("--table", choices=list(TABLES), help="what the rows are (default: all)")
    parser.add_argument("--files", action="store_true", help="let refused files be read again as well")
    chosen = parser.parse_args(arguments)
    read_env_file()
    reopened = 0
    try:
        warehouse = database_settings("COMMERCE")
        if chosen.tenant:
            delivering_tenant(warehouse, chosen.tenant)  # refuses one who is not there
        store = UploadStore(upload_bucket(), aws_settings())
        try:
            tables = [chosen.table] if chosen.table else list(TABLES)
            loaded = replay_tables(warehouse, store, tables, chosen.tenant)
        finally:
            store.close()
        if chosen.files:
            session = Session(lambda retry: connect(warehouse, application_name="replay", retry=retry))
            try:
                reopened = reopen(session, chosen.tenant)
            finally:
                session.close()
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{loaded.replayed:,} rows were taken after all\n")
    if chosen.files:
        sys.stdout.write(f"{reopened:,} refused files are read again by the next run\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
