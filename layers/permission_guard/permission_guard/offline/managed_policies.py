"""The permissions of all AWS managed policies, for checks without AWS.

A template contains only the name of such a policy. `make generate` compiles the policies from the copy that moto has of
them. The file is not part of the Lambda layer: the deployed functions read the policies from AWS.
"""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import Policy, parse_policy
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE: Final = Path(__file__).with_name("managed_policies.json.xz")

_BY_AWS: Final = ":iam::aws:policy/"
_VERSION: Final = "2012-10-17"


@record
class ManagedPolicies:
    """The copy of AWS's managed policies: its source, the day of its last update, and the statements by name.

    A name contains the path: `service-role/AWSLambdaBasicExecutionRole`.
    """

    source: str
    date: str
    policies: Mapping[str, Sequence[Mapping[str, Any]]]


@cache
def managed_policies() -> ManagedPolicies:
    """Return the copy."""
    return ManagedPolicies(**json.loads(lzma.decompress(FILE.read_bytes())))


def is_by_aws(arn: str) -> bool:
    """Return whether a managed policy belongs to AWS."""
    return _BY_AWS in arn


@cache
def managed_policy(arn: str) -> Policy | None:
    """Return the permissions of an AWS managed policy, None if the copy does not have it."""
    prefix, by_aws, name = arn.partition(_BY_AWS)
    statements = managed_policies().policies.get(name) if by_aws else None
    if statements is None:
        return None
    document = {"Version": _VERSION, "Statement": statements}
    partition = prefix.removeprefix("arn:")
    if partition != "aws":  # in another partition, AWS writes the policy with its ARNs
        document = json.loads(json.dumps(document).replace('"arn:aws:', f'"arn:{partition}:'))
    return parse_policy(document, name=arn)


def extreme(arn: str, *, broadest: bool) -> Policy:
    """Return the upper or the lower bound of an unknown policy: one that allows everything or nothing."""
    statement = {"Effect": "Allow", "Action": "*" if broadest else "none:None", "Resource": "*"}
    return parse_policy({"Version": _VERSION, "Statement": [statement]}, name=arn)
