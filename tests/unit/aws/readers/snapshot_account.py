"""An in-memory account that records what was read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.model.state import (
    DeniedCall,
    EventInvokeConfig,
    Function,
    FunctionUrl,
    Inventory,
    ResourcePolicy,
    Role,
    Snapshot,
    SourceState,
    Unread,
)
from permission_guard.model.targets import Direction, FunctionTarget
from tests.fakes import (
    DENIED,
    FUNCTION_ARN,
    ROLE_ARN,
    TARGET,
    a_policy,
    a_role,
    allow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.aws.readers.functions import FunctionReader
    from permission_guard.aws.readers.inventories import InventoryReader
    from permission_guard.aws.readers.organization import Denials, OrganizationReader
    from permission_guard.aws.readers.roles import RoleReader
    from permission_guard.aws.readers.sources.reader import SourceReader
    from permission_guard.iam import Policy
    from permission_guard.model.state import EventSourceMapping

EVERYTHING = allow("*")
LIVE = f"{FUNCTION_ARN}:live"
OLD_ROLE = f"{ROLE_ARN}-of-version-1"


@dataclass
class Account:
    """Functions and roles in memory; `asked` lists each read."""

    functions: dict[str, Function | Unread]
    mapped: tuple[EventSourceMapping, ...] | Unread = ()
    roles: dict[str, Role | Unread] = field(default_factory=lambda: {ROLE_ARN: a_role(EVERYTHING)})
    invoked: tuple[EventInvokeConfig, ...] | Unread = ()
    states: dict[str, SourceState | Unread] = field(default_factory=dict)
    policies: dict[str, Policy | Unread] = field(default_factory=dict)
    resource: tuple[ResourcePolicy | Unread, ...] = (
        ResourcePolicy(FUNCTION_ARN, None, a_policy(allow("lambda:*"))),
        DENIED,
    )
    buckets: tuple[str, ...] | Unread = ()
    tagged: dict[str, str] | Unread = field(default_factory=lambda: {"team": "orders"})
    tags_of: dict[str, dict[str, str] | Unread] = field(default_factory=dict)
    denials: Denials | Unread = frozenset()
    asked: list[str] = field(default_factory=list)
    forgotten: int = 0

    def function(self, arn: str) -> Function | Unread | None:
        self.asked.append(arn)
        return self.functions.get(arn)

    def mappings(self) -> dict[str, tuple[EventSourceMapping, ...]] | Unread:
        self.asked.append("mappings")
        return self.mapped if isinstance(self.mapped, Unread) else {FUNCTION_ARN: self.mapped}

    def invoke_configs(self, target: FunctionTarget) -> tuple[EventInvokeConfig, ...] | Unread:
        self.asked.append("invoke configs")
        return self.invoked

    def state(self, arn: str, function: FunctionTarget) -> SourceState | Unread | None:
        self.asked.append(f"state of {arn}")
        return self.states.get(arn, SourceState(exists=True))

    def policy(self, arn: str, function: FunctionTarget) -> Policy | Unread | None:
        self.asked.append(f"policy of {arn}")
        return self.policies.get(arn)

    def resource_tags(self, arn: str, function: FunctionTarget) -> dict[str, str] | Unread | None:
        self.asked.append(f"tags of {arn}")
        return self.tags_of.get(arn)

    def forget(self) -> None:
        self.asked = []
        self.forgotten += 1

    def resource_policies(self, target: FunctionTarget) -> tuple[ResourcePolicy | Unread, ...]:
        self.asked.append("resource policies")
        return self.resource

    def function_urls(self, target: FunctionTarget) -> tuple[FunctionUrl, ...] | Unread:
        self.asked.append("function URLs")
        return (FunctionUrl(None, "https://x.lambda-url.us-east-1.on.aws/", "NONE"),)

    def own_organization(self) -> str | Unread | None:
        self.asked.append("organization")
        return "o-exampleorgid"

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:
        self.asked.append(f"inventories since {not_before:g}")
        sources = self.buckets if isinstance(self.buckets, Unread) else frozenset(self.buckets)
        return (Inventory("s3", "s3.amazonaws.com", sources),)

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:
        self.asked.append(f"{arn} since {not_before:g}")
        return False

    def denied(self, role_arn: str, asked: Iterable[tuple[str, str]], region: str) -> Denials | Unread:
        self.asked += [f"organization of {action} on {resource}" for action, resource in asked]
        return self.denials

    def tags(self, target: FunctionTarget) -> dict[str, str] | Unread:
        return self.tagged

    def role(self, arn: str) -> Role | Unread | None:
        self.asked.append(arn)
        return self.roles.get(arn)

    @property
    def reader(self) -> StateReader:
        """Return the reader under test, which reads from this account."""
        return StateReader(
            cast("FunctionReader", self),
            cast("RoleReader", self),
            cast("SourceReader", self),
            lambda: cast("InventoryReader", self),
            cast("OrganizationReader", self),
        )


def snapshot_of(account: Account, *denied_calls: DeniedCall) -> Snapshot:
    """Return the snapshot of the function for its execution role."""
    return account.reader.snapshot(TARGET, Direction.EXECUTION_ROLE, denied_calls=denied_calls)
