"""What a configuration requires of a role: the records that every kind of need shares."""

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


@record
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


NOTHING_READ: Final[Sources] = MappingProxyType({})


def required(needs: Iterable[Need], kind: NeedKind) -> tuple[Need, ...]:
    """Return the needs of one kind, without what is only recommended."""
    return tuple(need for need in needs if need.kind is kind and not need.recommended)


def state_of(arn: str, sources: Sources) -> SourceState | None:
    """Return what was read of a resource; None where nothing was."""
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
    """Return one need an action, all on the same resource."""
    return tuple(Need(action, resource, kind, call, purpose=purpose, doubt=doubt) for action in actions)
