"""What the inventories share: listing what a service has, within a time limit and without raising."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from permission_guard.aws.calls import read
from permission_guard.iam.arn import account_of, parse_arn
from permission_guard.model.state import Inventory, Trigger, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Executor

    from permission_guard.model.targets import FunctionTarget

C = TypeVar("C")
T = TypeVar("T")

TIME_LIMIT = "TimeLimit"
"""The error code of what was not read within the time limit."""

# The codes with which these services say that a resource does not exist.
_NOT_FOUND = frozenset({"NoSuchBucket", "NotFoundException", "TargetGroupNotFound"})

# Permanent errors: access denied, no subscription to the service, or an operation that a region does not have yet.
_PERMANENT = frozenset(
    {
        "ForbiddenException",
        "InvalidAction",
        "OptInRequired",
        "SubscriptionRequiredException",
        "UnauthorizedException",
        "UnknownOperationException",
        "ValidationError",
        "ValidationException",
    },
)


@record
class InvokingService:
    """A service whose resources can be set up to invoke functions.

    `name` is that of its boto3 client and of its inventory. `actions` are the IAM actions that `read` needs, the one
    that lists first. `read` returns the inventory.
    """

    name: str
    principal: str
    actions: tuple[str, ...]
    read: Callable[[Walk[Any]], Inventory]


@record
class Missed:
    """A source whose triggers could not be read completely."""

    source: str
    unread: Unread


@record
class Walk(Generic[C]):
    """One walk through the resources of a service, in the account and region of a function.

    `pool` runs the calls for each source. `is_late` returns whether the time limit is over: then no call is started.
    `actions` are the IAM actions of the calls that are made, None for all: what the others read is left out.
    """

    client: C
    service: InvokingService
    target: FunctionTarget
    pool: Executor
    is_late: Callable[[], bool]
    actions: frozenset[str] | None = None

    def list_all(self, action: str, batches: Iterable[Iterable[T]]) -> list[T] | Unread:
        """List all items, page by page. A list that is not complete is Unread, so that no item seems not to exist."""
        if self.actions is not None and action not in self.actions:
            return []

        def gather() -> list[T] | Unread:
            found: list[T] = []
            remaining = iter(batches)
            while not self.is_late():
                batch = next(remaining, None)
                if batch is None:
                    return found
                found += batch
            return _out_of_time(action)

        reply = attempt(action, gather)
        return [] if reply is None else reply

    def read_each(
        self, action: str, sources: Mapping[str, T], triggers_of: Callable[[str, T], Iterable[Trigger | Unread]]
    ) -> Iterator[Trigger | Missed]:
        """Read the triggers of each source, several at a time. A source that does not exist has none.

        `sources` maps ARNs to what `triggers_of` needs to know. `triggers_of` may raise errors of botocore.
        """

        def read_one(item: tuple[str, T]) -> list[Trigger | Missed]:
            source, known = item
            if self.is_late():
                return [Missed(source, _out_of_time(action))]
            reply = attempt(action, lambda: list(triggers_of(source, known)))
            found = [reply] if isinstance(reply, Unread) else reply or []
            return [Missed(source, part) if isinstance(part, Unread) else part for part in found]

        if self.actions is not None and action not in self.actions:
            return iter(())
        return chain.from_iterable(self.pool.map(read_one, sources.items()))

    def inventory(self, sources: Iterable[str] | Unread, found: Iterable[Trigger | Missed] = ()) -> Inventory:
        """Return the inventory. A trigger that is configured twice counts once."""
        found = list(found)
        return Inventory(
            self.service.name,
            self.service.principal,
            sources if isinstance(sources, Unread) else frozenset(sources),
            tuple(dict.fromkeys(part for part in found if isinstance(part, Trigger))),
            {part.source: part.unread for part in found if isinstance(part, Missed)},
        )

    def trigger(
        self,
        source: str,
        function_arn: str,
        description: str,
        source_arns: tuple[str, ...] = (),
        disputed_source_arns: tuple[str, ...] = (),
    ) -> Trigger:
        """Return a trigger. Without `source_arns`, it sends its own ARN."""
        account = account_of(source) or self.target.account
        sent, principal = source_arns or (source,), self.service.principal
        return Trigger(principal, source, sent, account, function_arn, description, disputed_source_arns)

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in this account and region."""
        return f"arn:{self.target.partition}:{service}:{self.target.region}:{self.target.account}:{resource}"


def attempt(action: str, call: Callable[[], T]) -> T | Unread | None:
    """Make a read call like `read`. A reply that does not have the documented shape is Unread too.

    `denied` is true for every permanent error, because a retry does not help.
    """
    try:
        reply = read(action, call)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Unread(action, "MalformedReply", repr(error), denied=True)
    if isinstance(reply, Unread) and reply.code in _NOT_FOUND:
        return None
    if isinstance(reply, Unread) and reply.code in _PERMANENT:
        return Unread(action, reply.code, reply.message, denied=True)
    return reply


def pages_of(call: Callable[..., Any], token: str, **parameters: str) -> Iterator[Any]:
    """Yield the pages of an operation that boto3 has no paginator for. `token` is the name of the next page's token."""
    while True:
        page = call(**parameters)
        yield page
        if not page.get(token):
            return
        parameters[token] = page[token]


def is_function(arn: str) -> bool:
    """Return whether an ARN is that of a function, of a version or of an alias."""
    parsed = parse_arn(arn)
    return parsed is not None and parsed.service == "lambda" and parsed.resource.startswith("function:")


def _out_of_time(action: str) -> Unread:
    message = "not read within the time limit of one inventory: the account has too many of them"
    return Unread(action, TIME_LIMIT, message, denied=True)
