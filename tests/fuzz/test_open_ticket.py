"""Mutated events, and mutated invocations that request a test, to the function that maintains tickets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fuzz.harness import Fuzz, one_by_one, run
from tests.fuzz.senders import invoked_directly, is_tested, sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.aws import FakeAws, Write


def is_open(aws: FakeAws, finding_id: str) -> bool:
    """Return whether there is an OpsItem of the finding."""
    return any(finding_id in json.dumps(item) for item in aws.ops_items.values())


def may_send(write: Write) -> bool:
    """Return whether a call maintains OpsItems."""
    return write.operation in ("ssm:CreateOpsItem", "ssm:UpdateOpsItem")


FUZZ = sender("open_ticket", is_open, may_send, ("ticket:opsitem",))
TESTS = invoked_directly(FUZZ)


def test_no_message_stops_the_others(loaded: Callable[[Fuzz], Any]) -> None:
    """Every good message opens its ticket."""
    run(FUZZ, loaded(FUZZ))


def test_a_test_opens_only_the_test_ticket(loaded: Callable[[Fuzz], Any]) -> None:
    """Whoever may invoke the function chooses its event: the ticket has fixed texts, and the values are checked."""
    run(TESTS, one_by_one(loaded(TESTS), is_tested))
