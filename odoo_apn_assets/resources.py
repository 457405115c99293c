"""The two source databases and the way to operations, as Dagster resources."""

from typing import Literal

import dagster as dg

from odoo_apn_assets.sync import Source
from resources.notification import notify
from resources.settings import DatabaseSettings, source_database


class SourcesResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where Odoo and APN are: ODOO_DATABASE_URL and APN_DATABASE_URL, read when a run needs them."""

    def settings(self, system: Literal["odoo", "apn"]) -> DatabaseSettings:
        """The database of one system. Raises `MissingSettings` or PermanentError without showing the URL."""
        return source_database(f"{system.upper()}_DATABASE_URL")

    def source(self, system: Literal["odoo", "apn"]) -> Source:
        """One source system, as a sync takes it."""
        return Source(system, lambda: self.settings(system))


class AlertsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Operations: ALERT_SNS_TOPIC_ARN, ALERT_WEBHOOK_URL."""

    def tell(self, subject: str, text: str) -> None:
        """Send one message; a message that cannot be sent is logged."""
        notify(subject, text)
