"""The writers through which every write of a fix goes: each call reads the stop first."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import FixingStoppedError
from permission_guard.fixes import afterwards, all_fixes
from permission_guard.fixes.base import Writer
from permission_guard.fixes.mappings import MappingWriter
from permission_guard.fixes.stoppable import StoppableMappingWriter, StoppableWriter
from tests.fakes import InMemoryStop
from tests.unit.fixes.test_fixer_stopped import RESUMED, STOPPED, WHY

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.fixes.stop import Breaker

WRITERS: dict[Any, Any] = {Writer: StoppableWriter, MappingWriter: StoppableMappingWriter}
WRITES = [
    (protocol, name)
    for protocol in WRITERS
    for name, _ in inspect.getmembers(protocol, inspect.isfunction)
    if not name.startswith("_")
]


class Recorded:
    """A writer that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *values: self.calls.append((name, *values))


def make(protocol: Any, name: str, stop: InMemoryStop, recorded: Recorded) -> Any:
    """Make a call, and return the writer that made it."""
    writer = WRITERS[protocol](recorded, stop)
    values = [f"the {one}" for one in list(inspect.signature(getattr(protocol, name)).parameters)[1:]]
    getattr(writer, name)(*values)
    return writer


@pytest.mark.parametrize(("protocol", "name"), WRITES)
def test_no_write_is_made_while_fixing_is_stopped(protocol: Any, name: str) -> None:
    """Whatever a writer can do, it reads the stop first, and the error says who stopped it."""
    recorded = Recorded()
    with pytest.raises(FixingStoppedError, match=f"^{WHY}$".replace("+", r"\+")):
        make(protocol, name, InMemoryStop(switched=STOPPED), recorded)
    assert recorded.calls == []


@pytest.mark.parametrize(("protocol", "name"), WRITES)
def test_every_write_is_made_when_fixing_is_not_stopped(protocol: Any, name: str) -> None:
    """With one read of the stop, and with its own values; the writer knows which calls it has made."""
    stop, recorded = InMemoryStop(switched=RESUMED), Recorded()
    (call,) = make(protocol, name, stop, recorded).made
    assert stop.reads == 1
    (made,) = recorded.calls
    values = list(call.parameters.values()) if isinstance(call.parameters, dict) else [call.parameters, "the revision"]
    assert made == (name, *(value for value in values if not isinstance(value, bool)))


def test_the_writes_of_the_fixes_are_exactly_those() -> None:
    """A fix with another action needs a writer that reads the stop before it."""
    operations = {make(*write, InMemoryStop(), Recorded()).made[0].operation for write in WRITES}
    assert operations == set().union(afterwards.WRITES, *(fix.writes for fix in all_fixes()))


def test_what_cannot_be_read_stops_the_call() -> None:
    """In doubt nothing is written."""

    class Damaged(InMemoryStop):
        def breaker(self) -> Breaker:
            raise KeyError("number")

    recorded = Recorded()
    with pytest.raises(FixingStoppedError, match="what stops it cannot be read"):
        make(Writer, "attach_role_policy", Damaged(), recorded)
    assert recorded.calls == []


def test_a_call_that_fails_was_not_made() -> None:
    """So the record does not say that it was done."""

    class Unreachable(Recorded):
        def attach_role_policy(self, _role_name: str, _policy_arn: str) -> None:
            raise ConnectionError

    writer = StoppableWriter(Unreachable(), InMemoryStop())
    with pytest.raises(ConnectionError):
        writer.attach_role_policy("orders-role", "policy")
    assert writer.made == []
