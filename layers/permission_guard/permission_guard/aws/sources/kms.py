"""Keys: whose they are, and the policy without which no role may use one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.sources.base import Look, Seen, Service
from permission_guard.event_sources import SourceState

if TYPE_CHECKING:
    from permission_guard.model import FunctionTarget


def key_arn(key: str, resource: str, function: FunctionTarget) -> str:
    """Return the ARN of a key, or of its alias, that a resource names in any of the four ways.

    Without a region or an account, it is in those of the resource, and in the function's where that names none.
    https://docs.aws.amazon.com/kms/latest/developerguide/find-cmk-id-arn.html
    """
    if key.startswith("arn:"):
        return key
    partition, _, region, account = resource.split(":", 5)[1:5]
    path = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{partition}:kms:{region or function.region}:{account or function.account}:{path}"


def metadata(client: Any, arn: str) -> Seen:
    """Read the ARN of a key that a customer manages; AWS's own key has none here."""
    found = client.describe_key(KeyId=arn)["KeyMetadata"]
    return Seen(SourceState(None if found.get("KeyManager") == "AWS" else found["Arn"], exists=True))


def policy(client: Any, arn: str) -> Seen:
    """Read the policy of a key: each has one, called `default`."""
    return Seen(policy=client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])


DESCRIPTION = Look("kms:DescribeKey", metadata)

KMS = Service("kms", "kms", state=DESCRIPTION, policy=Look("kms:GetKeyPolicy", policy, own=True))
