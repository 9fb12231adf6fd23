"""What the inventories share: how one walks through what a service has, in its time, and without raising."""

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
"""The code of what was not reached in time."""

# How these services, and no others that the bot reads, say that a thing is gone.
_GONE = frozenset({"NoSuchBucket", "NotFoundException", "TargetGroupNotFound"})

# What asking again does not change: a refusal, or a service that is not subscribed to, or older than the question.
_FINAL = frozenset(
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

    `name` is that of its client and of its inventory. `actions` are the IAM actions that `read` takes, the one that
    lists first; `read` makes the inventory.
    """

    name: str
    principal: str
    actions: tuple[str, ...]
    read: Callable[[Walk[Any]], Inventory]


@record
class Missed:
    """A source whose triggers could not be read, or not all of them."""

    source: str
    unread: Unread


@record
class Walk(Generic[C]):
    """One walk through what a service has, in the account and region of a function.

    `pool` runs what is asked of each source; `is_late` tells that no more calls should be begun.
    """

    client: C
    service: InvokingService
    target: FunctionTarget
    pool: Executor
    is_late: Callable[[], bool]

    def list_all(self, action: str, batches: Iterable[Iterable[T]]) -> list[T] | Unread:
        """List what there is, page by page; part of a list would say that the rest does not exist, so it is Unread."""

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

    def look_into(
        self, action: str, sources: Mapping[str, T], look: Callable[[str, T], Iterable[Trigger | Unread]]
    ) -> Iterator[Trigger | Missed]:
        """Ask for the triggers of each source, several at a time; one that is gone has none.

        `sources` has, by ARN, what `look` needs to know of each; `look` may raise what botocore raises.
        """

        def seen(item: tuple[str, T]) -> list[Trigger | Missed]:
            source, known = item
            if self.is_late():
                return [Missed(source, _out_of_time(action))]
            reply = attempt(action, lambda: list(look(source, known)))
            found = [reply] if isinstance(reply, Unread) else reply or []
            return [Missed(source, part) if isinstance(part, Unread) else part for part in found]

        return chain.from_iterable(self.pool.map(seen, sources.items()))

    def inventory(self, sources: Iterable[str] | Unread, found: Iterable[Trigger | Missed] = ()) -> Inventory:
        """Return what was found; the same trigger, configured twice, is one."""
        found = list(found)
        return Inventory(
            self.service.name,
            self.service.principal,
            sources if isinstance(sources, Unread) else frozenset(sources),
            tuple(dict.fromkeys(part for part in found if isinstance(part, Trigger))),
            {part.source: part.unread for part in found if isinstance(part, Missed)},
        )

    def trigger(self, source: str, function_arn: str, description: str, source_arns: tuple[str, ...] = ()) -> Trigger:
        """Return a trigger; what it sends is its own ARN unless something else is said."""
        account = account_of(source) or self.target.account
        return Trigger(self.service.principal, source, source_arns or (source,), account, function_arn, description)

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in this account and region."""
        return f"arn:{self.target.partition}:{service}:{self.target.region}:{self.target.account}:{resource}"


def attempt(action: str, call: Callable[[], T]) -> T | Unread | None:
    """Make a read call like `read`; a reply that is not of the documented shape is Unread as well.

    `denied` is true of all that trying again would not help.
    """
    try:
        reply = read(action, call)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Unread(action, "MalformedReply", repr(error), denied=True)
    if isinstance(reply, Unread) and reply.code in _GONE:
        return None
    if isinstance(reply, Unread) and reply.code in _FINAL:
        return Unread(action, reply.code, reply.message, denied=True)
    return reply


def pages_of(call: Callable[..., Any], token: str, **asked: str) -> Iterator[Any]:
    """Yield the pages of an operation that boto3 has no paginator for; `token` names the mark of the next one."""
    while True:
        page = call(**asked)
        yield page
        if not page.get(token):
            return
        asked[token] = page[token]


def is_function(arn: str) -> bool:
    """Tell whether an ARN is that of a function, of one of its versions or aliases."""
    parsed = parse_arn(arn)
    return parsed is not None and parsed.service == "lambda" and parsed.resource.startswith("function:")


def _out_of_time(action: str) -> Unread:
    message = "not reached in the time that one inventory gets: there is more of this than can be read at once"
    return Unread(action, TIME_LIMIT, message, denied=True)
