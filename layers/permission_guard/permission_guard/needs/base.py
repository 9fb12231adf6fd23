"""Records for the permissions that a configuration requires of a role."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from permission_guard.iam import LambdaCall
from permission_guard.model.state import Sources, SourceState, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable


class NeedKind(StrEnum):
    """What fails if an action is missing."""

    READ = "read"
    """Reading the event source itself."""
    DEPENDENCY = "dependency"
    """Using what else the mapping names: secret, key, network, schema registry, cluster data plane."""
    DESTINATION = "destination"
    """Sending results and failures to the destination of the mapping or the function."""
    LOGS = "logs"
    NETWORK = "network"
    TRACING = "tracing"
    FEATURE = "feature"


@record
class Need:
    """One action that the execution role must be allowed on one resource.

    `resource`: an ARN. With `*` or `?` it stands for one matching resource; which one is unknown.
    `instead`: actions of which any one suffices in place of `action`.
    `elsewhere`: resources of which any one suffices in place of `resource`; AWS does not say which one it evaluates.
    `recommended`: AWS recommends the action but Lambda works without it; it is never reported as missing.
    `purpose`: why Lambda needs it; continues a sentence: "to ...".
    `context`: the condition keys that Lambda sends besides those of `call`.
    `encrypted`: the ARN of the resource whose data a KMS key encrypts; its service uses the key for the role.
    `doubt`: why it is unknown whether the action is required; a role without it is then unknown, not a violation.
    `unread`: the ARN of the resource to read to remove the doubt or to identify the resource; empty if there is none.
    `identifies`: reading `unread` identifies the resource.
    `carried`: the AWS managed policy of the event source's type contains the action.
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
    encrypted: str = ""
    doubt: str = ""
    unread: str = ""
    identifies: bool = False
    carried: bool = True

    @property
    def has_known_resource(self) -> bool:
        """Whether the resource is known; `*` alone stands for an action without resources."""
        return self.resource == "*" or not {"*", "?"} & set(self.resource)


NOTHING_READ: Final[Sources] = MappingProxyType({})


def required(needs: Iterable[Need], kind: NeedKind) -> tuple[Need, ...]:
    """Return the needs of one kind, without recommended ones."""
    return tuple(need for need in needs if need.kind is kind and not need.recommended)


def state_of(arn: str, sources: Sources) -> SourceState | None:
    """Return the state that was read of a resource, None if it was not read."""
    state = sources.get(arn)
    return None if isinstance(state, Unread) else state


def on(
    resource: str,
    *actions: str,
    kind: NeedKind = NeedKind.READ,
    call: LambdaCall = LambdaCall.POLL,
    purpose: str = "",
    doubt: str = "",
) -> tuple[Need, ...]:
    """Return one need for each action, all on the same resource."""
    return tuple(Need(action, resource, kind, call, purpose=purpose, doubt=doubt) for action in actions)
