"""Many findings at once, through the deployed functions: from the findings table to what each channel gets.

`python -m tests.simulation.floods 500` prints what became of 500 findings that are recorded within a minute.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.config.document import AlertLimit
from permission_guard.findings.lifecycle import Change
from permission_guard.model.verdicts import Severity
from tests.fakes import a_finding
from tests.simulation.choices import Choices
from tests.simulation.invariants import no_channel_exceeds_its_limit, waiting_items
from tests.simulation.run import installed
from tests.simulation.stack import deployed
from tests.simulation.story import maintain

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.simulation.world import World

_SECONDS: Final = 60.0
_EVERY: Final = 600.0
"""Seconds between two runs of maintenance."""
_MOST_RUNS: Final = 12


def flood(count: int) -> dict[str, Any]:
    """Record findings of as many functions within a minute; return what each channel got of them, and when."""
    with installed(deployed("off", 1), Choices(0), None) as world:
        world.limit = limit = AlertLimit()
        world.document = json.dumps({"alerts": {"limit": {"messages": limit.messages, "minutes": limit.minutes}}})
        vars(world)["pause"] = lambda: 0.0  # many deliveries within a minute are what this is about
        began = world.now
        findings = [_finding(number) for number in range(count)]
        for number, finding in enumerate(findings):
            world.later(_SECONDS * number / count, finding.id, partial(_record, world, finding))
        world.run_until_quiet()
        sent_at_once = {channel: len(times) for channel, times in world.receivers.times.items()}
        runs = 0
        while waiting_items(world) and runs < _MOST_RUNS:
            runs += 1
            world.advance_to(began + _SECONDS + runs * _EVERY)
            maintain(world)
            world.run_until_quiet()
        return {
            "at once": sent_at_once,
            "messages": {channel: len(times) for channel, times in world.receivers.times.items()},
            "minutes": round((max(max(times) for times in world.receivers.times.values()) - began) / 60, 1),
            "missing": {
                channel: len({f"{one.id}-1" for one in findings} - set(about))
                for channel, about in world.receivers.messages.items()
            },
            "twice": {channel: len(about) - len(set(about)) for channel, about in world.receivers.messages.items()},
            "over the limit": list(no_channel_exceeds_its_limit(world, [])),
            "waiting": len(waiting_items(world)),
            "dead letters": sum(
                len(queue.dead_letters.messages) for queue in world.queues.queues.values() if queue.dead_letters
            ),
        }


def _finding(number: int) -> Finding:
    """Return a finding of a function of its own."""
    finding = a_finding(id=f"{number:032x}", severity=list(Severity)[number % 4], first_seen="2026-11-20T09:00:00Z")
    return replace(finding, function_arn=f"{finding.function_arn}-{number}", title=f"orders-{number} cannot read queue")


def _record(world: World, finding: Finding) -> None:
    client: Any = world.client("dynamodb")
    FindingsTable(client, "FindingsTable").put_finding(Change(finding, None))


if __name__ == "__main__":
    print(json.dumps(flood(int(sys.argv[1]))))
