"""The Fullbay source, and what the steps of a run share, as Dagster resources."""

import dagster as dg
from pydantic import PrivateAttr

from fullbay_assets.document_spool import DocumentSpool
from fullbay_assets.flattening import FlatteningRules
from resources.settings import FullbaySettings, fullbay_settings


class FullbayResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where invoices come from and how they are read; keys are read when a run needs them and never stored with it."""

    def settings(self) -> FullbaySettings:
        """Base URL, shops with their keys, lookback. Raises `MissingSettings` naming everything that is missing."""
        return fullbay_settings()

    def rules(self) -> FlatteningRules:
        """How this shop group's invoices are flattened."""
        settings = self.settings()
        return FlatteningRules(time_zone=settings.time_zone, dirty_cores=settings.dirty_cores)


class SpoolResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Documents of the run between two of its steps; of no effect when each step has its own process."""

    _spool: DocumentSpool | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._spool = DocumentSpool()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._spool is not None:
            self._spool.close()

    def documents(self) -> DocumentSpool | None:
        return self._spool
