"""What every type of event source says: which actions Lambda takes with the execution role, on what, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.iam import LambdaCall
from permission_guard.model import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model import EventSourceMapping


class NeedKind(StrEnum):
    """What is broken where an action is missing."""

    READ = "read"
    """The source itself cannot be read."""
    DEPENDENCY = "dependency"
    """What the mapping's configuration names besides: secret, key, network, schema registry, cluster data plane."""
    DESTINATION = "destination"
    """What the mapping or the function sends its results and failures to."""
    LOGS = "logs"
    NETWORK = "network"
    TRACING = "tracing"
    FEATURE = "feature"


@record(frozen=True, slots=True)
class Need:
    """One action that the execution role must be allowed on one resource.

    `resource` is an ARN; with `*` or `?` in it, it is one that fits and nobody knows which. Any one of the actions of
    `instead` will do as well, and so will any one of the resources of `elsewhere`: of those AWS does not say which one
    it asks for. `purpose` continues a sentence: "to ...". `context` has the condition keys that go along, besides those
    of the `call`. `doubt` says why it is not certain that the action is needed: a role without it is not known to be
    wrong. `unread` is the ARN of what would have to be read to tell more, of the doubt or of the resource, empty where
    nothing would. What is only `recommended` is never missing; what is not `carried` is not in the AWS managed policy
    of the type.
    """

    action: str
    resource: str
    kind: NeedKind = NeedKind.READ
    call: LambdaCall = LambdaCall.POLL
    instead: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    recommended: bool = False
    purpose: str = ""
    context: tuple[tuple[str, str], ...] = ()
    doubt: str = ""
    unread: str = ""
    carried: bool = True

    @property
    def is_of_one(self) -> bool:
        """Whether it is known which resource it is on; `*` alone stands for an action that names none."""
        return self.resource == "*" or not {"*", "?"} & set(self.resource)


@record(frozen=True, slots=True)
class SourceState:
    """What was read of a source, secret or destination, as far as needs hang on it.

    `kms_key_arn` is the key that a customer manages; None where the key is AWS's own, or there is none. The others are
    None where they are not known: whether an Amazon MSK cluster is serverless and lets clients in by IAM, which
    parameter and subnet groups a DocumentDB cluster has, whether an Amazon MQ broker `is_public`, whether a log group
    `exists`, and of an access point, which
    `file_system` it leads to, as an ARN, and whether that asks its clients for IAM (`uses_iam` as well).
    """

    kms_key_arn: str | None = None
    is_serverless: bool | None = None
    uses_iam: bool | None = None
    parameter_group: str | None = None
    subnet_group: str | None = None
    is_public: bool | None = None
    exists: bool | None = None
    file_system: str | None = None


Sources = Mapping[str, SourceState | Unread]
"""What was read of sources, secrets and destinations, by their ARNs; what is not in there was not read."""

NOTHING_READ: Final[Sources] = MappingProxyType({})


class EventSource(Protocol):
    """A type of event source.

    `managed_policy` is the path and name of the AWS managed policy with what it takes to read one; empty where AWS has
    none.
    """

    name: str
    managed_policy: str

    def matches(self, mapping: EventSourceMapping) -> bool:
        """Tell whether the mapping reads from a source of this type."""

    def needs(self, mapping: EventSourceMapping, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return what the role must be allowed for this mapping, of every kind."""


def required(needs: Iterable[Need], kind: NeedKind) -> tuple[Need, ...]:
    """Return the needs of one kind, without what is only recommended."""
    return tuple(need for need in needs if need.kind is kind and not need.recommended)


def state_of(arn: str, sources: Sources) -> SourceState | None:
    """Return what was read of a resource; None where nothing was."""
    state = sources.get(arn)
    return None if isinstance(state, Unread) else state


def source_service(mapping: EventSourceMapping) -> str:
    """Return the service of the mapping's source from its ARN, empty where it has none (self-managed Kafka)."""
    parts = (mapping.event_source_arn or "").split(":", 5)
    return parts[2] if len(parts) == 6 else ""  # noqa: PLR2004 - an ARN has six parts


def on(
    resource: str,
    *actions: str,
    kind: NeedKind = NeedKind.READ,
    call: LambdaCall = LambdaCall.POLL,
    purpose: str = "",
    doubt: str = "",
) -> tuple[Need, ...]:
    """Return one need an action, all on the same resource."""
    return tuple(Need(action, resource, kind, call, purpose=purpose, doubt=doubt) for action in actions)
