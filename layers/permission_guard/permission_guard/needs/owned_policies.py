"""The policies that this stack can own, by the ends of their names, and the services that each is for.

`template.yaml` has their documents. The parameters `FixResourceTag` and `FixNamePrefix` say which of them exist, and
for which resources.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNED_POLICIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "decrypt-sources": "kms",
        "encrypt-destinations": "kms",
        "invoke-functions": "lambda",
        "read-brokers": "mq",
        "read-data-streams": "kinesis",
        "read-documentdb-clusters": "rds",
        "read-kafka-topics": "kafka-cluster",
        "read-msk-clusters": "kafka",
        "read-queues": "sqs",
        "read-secrets": "secretsmanager",
        "read-table-streams": "dynamodb",
        "send-to-buckets": "s3",
        "send-to-event-buses": "events",
        "send-to-queues": "sqs",
        "send-to-topics": "sns",
        "use-network-interfaces": "ec2",
    }
)
"""The service of each policy by the end of its name, which the names of the stack and the region precede."""

OWNED_SERVICES: Final = frozenset(OWNED_POLICIES.values())
"""The services that a policy of the stack can be for."""


def owned_service(arn: str) -> str | None:
    """Return the service that one of the stack's own policies is for, None if the ARN is not of one."""
    return next((service for name, service in OWNED_POLICIES.items() if arn.endswith(f"-{name}")), None)
