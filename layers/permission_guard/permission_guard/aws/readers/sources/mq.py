"""Amazon MQ brokers: whether they are publicly accessible."""

from __future__ import annotations

from typing import Any

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService
from permission_guard.model.state import SourceState


def broker(client: Any, arn: str) -> SourceReading:
    """Read whether a broker is publicly accessible. Its ARN ends in the broker id."""
    found = client.describe_broker(BrokerId=arn.rpartition(":")[2])
    return SourceReading(SourceState(is_public=bool(found["PubliclyAccessible"]), exists=True))


MQ = SourceService("mq", "mq", state=SourceRead("mq:DescribeBroker", broker))
