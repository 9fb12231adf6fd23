"""Read one event source mapping, without a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.aws.readers.functions import mapping_of
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from permission_guard.model.state import EventSourceMapping


class LiveMappings:
    """Reads from Lambda."""

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def mapping(self, uuid: str) -> EventSourceMapping | Unread | None:
        """Read a mapping, None if it does not exist."""
        reply = read("lambda:GetEventSourceMapping", lambda: self._lambda.get_event_source_mapping(UUID=uuid))
        return reply if reply is None or isinstance(reply, Unread) else mapping_of(reply)
