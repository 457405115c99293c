"""S3 and DynamoDB as Dagster resources: the bucket and the table of the uploads, opened when a run needs them."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from commerce_assets.dynamo import TABLE_NAME, UploadRecords
from commerce_assets.objects import UploadStore
from commerce_assets.shoppulse.anchors import AnchorStore
from resources.aws import aws_client
from resources.settings import anchor_bucket, aws_settings, upload_bucket


class UploadRecordsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The table UploadRecords, at AWS_ENDPOINT_URL or in AWS itself."""

    table_name: str = Field(default=TABLE_NAME, description="Name of the DynamoDB table.")
    writers: int = Field(default=4, ge=1, le=64, description="Threads that write at once.")

    @contextmanager
    def opened(self) -> Iterator[UploadRecords]:
        """The table as it is, for the length of the block. It need not exist: see `table`."""
        settings = aws_settings()
        client = aws_client("dynamodb", settings, connections=self.writers + 1)
        try:
            streams = aws_client("dynamodbstreams", settings)
            try:
                yield UploadRecords(client, streams, name=self.table_name, writers=self.writers)
            finally:
                streams.close()
        finally:
            client.close()

    @contextmanager
    def table(self) -> Iterator[UploadRecords]:
        """The table, made when it is missing and waited for until it is ACTIVE.

        Raises PermanentError for a table of this name that has other keys, indexes or no stream.
        """
        with self.opened() as records:
            records.create()
            yield records


class UploadsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The bucket UPLOAD_BUCKET, at AWS_ENDPOINT_URL or in AWS itself."""

    @contextmanager
    def opened(self) -> Iterator[UploadStore]:
        """The bucket, for the length of the block. Raises MissingSettings when UPLOAD_BUCKET is not set."""
        store = UploadStore(upload_bucket(), aws_settings())
        try:
            yield store
        finally:
            store.close()


class AuditAnchorsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The bucket AUDIT_ANCHOR_BUCKET, else UPLOAD_BUCKET, at AWS_ENDPOINT_URL or in AWS itself."""

    @contextmanager
    def opened(self) -> Iterator[AnchorStore]:
        """The bucket, for the length of the block. Raises MissingSettings when neither is set."""
        store = AnchorStore(anchor_bucket(), aws_settings())
        try:
            yield store
        finally:
            store.close()
