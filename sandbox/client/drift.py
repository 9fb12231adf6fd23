"""Remove from an execution role what its function needs to read its source, without an error of AWS, and restore it.

The end-to-end tests check that each case is found, and the benchmark measures the time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.client.engineer import document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.client.engineer import Engineer
    from sandbox.client.watcher import Watcher

SOURCES: Mapping[str, tuple[str, ...]] = {
    "queue": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "stream": (
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ),
    "table": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
}
"""The methods of `Engineer` that create a source, each with the actions for reading the source."""

_LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
_INLINE = "reading-denied"


class Reader:
    """A function that reads a source with a customer managed policy of its role. `source` is a key of `SOURCES`."""

    def __init__(self, engineer: Engineer, watcher: Watcher, name: str, source: str) -> None:
        """Create all resources, and wait until the bot has checked the function."""
        actions = list(SOURCES[source])
        self.engineer, self.watcher, self.name, self.role = engineer, watcher, name, f"{name}-role"
        self.actions = actions
        self.policy = engineer.policy(f"{name}-reading", {"Effect": "Allow", "Action": actions, "Resource": "*"})
        self.boundary = engineer.policy(f"{name}-boundary", _LOGS)
        self.arn = engineer.function(name, engineer.role(self.role, self.policy))
        seen = watcher.checked(self.arn, "execution_role")
        engineer.mapping(name, getattr(engineer, source)(name))
        watcher.checked(self.arn, "execution_role", more_than=seen)

    def seconds(self, change: Callable[[Reader], object], status: str, *, deadline: float) -> float:
        """Make a change, and return the seconds until PG201 is recorded with the status.

        A loss first waits for the delayed checks of earlier changes, which would report it without a grace period.
        """
        if status == "open":
            self.watcher.settled(self.arn, "execution_role")
        start = time.monotonic()
        change(self)
        self.watcher.finding(self.arn, "PG201", lambda one: bool(one["status"] == status), deadline=deadline)
        return time.monotonic() - start


@dataclass(frozen=True, slots=True)
class Way:
    """One way to remove the permission. `cause` is the text that the finding must contain."""

    name: str
    cause: str
    lose: Callable[[Reader], object]
    regain: Callable[[Reader], object]


def _detach(reader: Reader) -> None:
    reader.engineer.detach(reader.role, reader.policy)


def _attach(reader: Reader) -> None:
    reader.engineer.attach(reader.role, reader.policy)


def _deny(reader: Reader) -> None:
    denied = {"Sid": "NoReading", "Effect": "Deny", "Action": reader.actions, "Resource": "*"}
    reader.engineer.iam.put_role_policy(RoleName=reader.role, PolicyName=_INLINE, PolicyDocument=document(denied))


def _deny_no_longer(reader: Reader) -> None:
    reader.engineer.iam.delete_role_policy(RoleName=reader.role, PolicyName=_INLINE)


def _limit(reader: Reader) -> None:
    reader.engineer.iam.put_role_permissions_boundary(RoleName=reader.role, PermissionsBoundary=reader.boundary)


def _limit_no_longer(reader: Reader) -> None:
    reader.engineer.iam.delete_role_permissions_boundary(RoleName=reader.role)


def _new_version(reader: Reader) -> None:
    reader.engineer.iam.create_policy_version(
        PolicyArn=reader.policy, PolicyDocument=document(_LOGS), SetAsDefault=True
    )


def _old_version(reader: Reader) -> None:
    iam = reader.engineer.iam
    iam.set_default_policy_version(PolicyArn=reader.policy, VersionId="v1")
    # A policy has at most five versions.
    for version in iam.list_policy_versions(PolicyArn=reader.policy)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=reader.policy, VersionId=version["VersionId"])


WAYS = (
    Way("policy detached", "no identity-based policy", _detach, _attach),
    Way("inline Deny", "NoReading", _deny, _deny_no_longer),
    Way("boundary", "boundary", _limit, _limit_no_longer),
    Way("new default version", "no identity-based policy", _new_version, _old_version),
)
