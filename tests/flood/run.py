"""`make flood`: 500 findings at once in the deployed stack, and what each channel and ticket system gets of them.

Everything is as deployed: functions, queues, bus, stream and tables of the sandbox, and servers that behave as Slack,
GitHub and a webhook do. First the stack is new, in an account with old problems: the first sweep finds them, and sends
one mail. Then as many findings are recorded at once as checks record them, each of a function of its own.

Only the schedule is not awaited: maintenance runs when the alert queue is empty, not every ten minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.findings.lifecycle import Change
from permission_guard.model.verdicts import Severity
from sandbox.client.process import SandboxError
from tests.fakes import a_finding
from tests.flood.stack import LIMIT, OWN, Flooded, Tickets, flooded
from tests.flood.verdicts import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.findings import Finding
    from sandbox.client.engineer import Engineer
    from tests.flood.verdicts import Row

_STATEMENTS: Final = 50
"""Statements of a function: more would be near the largest policy, which is a finding, too."""
_TICKETS: Final = 100
"""How many tickets a system gets in a day: the default."""
_AT_ONCE: Final = 2
"""How many invocations of `send_alert` run at once: MaximumConcurrency in template.yaml."""
_EVERY: Final = 10.0
"""Seconds between two lines of progress."""
_QUIET: Final = 3.0
"""For how many seconds a queue is empty when everything in it is done: a function can be about to add to it."""
_FIRST_DIGEST: Final = 180.0
"""Seconds in which the digest of the first sweep must come after the last check: it follows a minute later."""
_DEADLINE: Final = 600.0
"""Seconds in which a queue must be empty, and after the window everything sent."""


@dataclass
class Run:
    """One run. `problems` are what is wrong, and `reads` how many seconds reads of DynamoDB took while it waited."""

    stack: Flooded
    count: int
    minutes: int
    problems: list[str]
    reads: list[float] = field(default_factory=list)

    def first_sweep(self) -> None:
        """Sweep for the first time; what was wrong before the stack existed must be one message."""
        self.stack.bot.wait_for_checks()
        began = time.monotonic()
        self.stack.bot.aws.client("lambda").invoke(FunctionName=self.stack.bot.outputs["SweepAccountFunctionName"])
        for queue in ("SweepInvokePolicyQueue", "SweepExecutionRoleQueue", "AlertQueue", "TicketQueue"):
            self._until_empty(queue, began)
        _say(began, "every function was checked; the digest follows a minute later")

        deadline = time.monotonic() + _FIRST_DIGEST
        while not self.stack.bot.watcher.inbox():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no digest of the first sweep after {_FIRST_DIGEST:.0f} s")
            self.stack.maintain()
            time.sleep(_EVERY)
        self.stack.maintain()
        self._until_empty("AlertQueue", began)
        seen = self.stack.seen()
        _say(began, f"sns: {seen['sns'].texts[0].partition(chr(10))[0]}")
        if f"{self.count} high: PG102 source-missing" not in seen["sns"].texts[0]:
            self.problems.append(f"the digest of the first sweep does not count {self.count} findings")
        for channel, one in seen.items():
            expected = int(channel in OWN)
            if len(one.times) != expected:
                self.problems.append(f"first sweep: {channel} got {len(one.times)} messages instead of {expected}")
        for system, tickets in self.stack.tickets().items():
            if tickets.opened or tickets.waiting:
                self.problems.append(f"first sweep: {system} has {tickets.opened} tickets instead of none")

    def flood(self) -> list[Row]:
        """Record findings as fast as possible, and wait until each of them was sent; return what each channel got."""
        client = self.stack.bot.aws.client("dynamodb")
        table = FindingsTable(client, self.stack.bot.outputs["FindingsTableName"])
        findings = list(_findings(self.count))
        began, wall = time.monotonic(), time.time()
        for one in findings:
            table.put_finding(Change(one, None))
        took = time.monotonic() - began
        _say(began, f"{self.count} findings are recorded")
        if took > 60:
            self.problems.append(f"recording took {took:.0f} s: the findings did not come within a minute")
        self.reads.clear()
        alerted = self._until_empty("AlertQueue", began)
        _say(began, f"send_alert: {self.count} findings in {alerted:.0f} s, {self.count / alerted:.1f} a second")
        read, each = median(self.reads), alerted / self.count * _AT_ONCE
        _say(began, f"of {each * 1000:.0f} ms each, the time of {each / read:.0f} reads of DynamoDB made beside it")
        self._until_sent(began, findings, wall)
        found = rows(self.stack.seen(), [one.id for one in findings], self.minutes * 60, wall)
        for row in found:
            self.problems += row.problems(LIMIT, self.minutes)
            if row.others != int(row.channel in OWN):
                self.problems.append(f"{row.channel} got {row.others} messages about something else")
        for system, tickets in self.stack.tickets().items():
            print(f"{system}: {tickets.opened} tickets, and a summary of {tickets.waiting} findings without one")
        self.problems += self._wrong_tickets()
        self.problems += [f"{number} messages in {queue}" for queue, number in self.stack.dead_letters().items()]
        return found

    def _until_empty(self, queue: str, began: float) -> float:
        """Wait until a queue is empty; return the seconds since `began`. TimeoutError after the deadline."""
        started = printed = time.monotonic()
        empty = 0.0
        while not empty or time.monotonic() - empty < _QUIET:
            left, now = self.stack.bot.waiting(queue), time.monotonic()
            self.reads.append(self.stack.read_seconds())
            empty = 0.0 if left else empty or now
            if now - printed > _EVERY:
                printed = now
                _say(began, f"{left} messages in {queue}")
            if now - started > _DEADLINE:
                raise TimeoutError(f"{left} messages are still in {queue} after {_DEADLINE:.0f} s")
            time.sleep(0.5)
        return empty - began

    def _until_sent(self, began: float, findings: Sequence[Finding], wall: float) -> None:
        """Run maintenance until nothing waits any more. What is missing after the deadline is a problem of its row."""
        ids = [one.id for one in findings]
        deadline = began + self.minutes * 60 + _DEADLINE
        while time.monotonic() < deadline:
            left = {queue: self.stack.bot.waiting(queue) for queue in ("AlertQueue", "TicketQueue")}
            channels = self.stack.waiting()
            found = rows(self.stack.seen(), ids, self.minutes * 60, wall)
            shown = ", ".join(f"{row.channel} {row.messages} ({row.missing} missing)" for row in found)
            _say(began, f"{shown}; {left['TicketQueue']} in the ticket queue")
            # A summary that another invocation writes is tried again six minutes later: it stays in the queue.
            if not channels and not left["AlertQueue"] and not list(self._wrong_tickets()):
                return
            if not left["AlertQueue"]:
                self.stack.maintain()
            time.sleep(_EVERY)
        self.problems.append(f"something still waits after {time.monotonic() - began:.0f} s")

    def _wrong_tickets(self) -> Iterator[str]:
        """Yield the systems that do not have a ticket for each finding up to the limit, and a summary of the others."""
        opened = min(self.count, _TICKETS)
        for system, tickets in self.stack.tickets().items():
            if tickets != Tickets(opened, self.count - opened):
                yield f"{system} has {tickets} instead of {Tickets(opened, self.count - opened)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, print a table of the channels, and return the exit code: 1 if something is missing or too much."""
    parser = argparse.ArgumentParser(prog="make flood", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=500, help="how many findings (500)")
    parser.add_argument(
        "--minutes", type=int, default=1, help="alerts.limit.minutes: 1 is the shortest; 10 the default"
    )
    options = parser.parse_args(arguments)
    began = time.monotonic()
    problems: list[str] = []
    try:
        with flooded(options.minutes, lambda engineer: _old_problems(engineer, options.count)) as stack:
            run = Run(stack, options.count, options.minutes, problems)
            _say(began, f"the stack is deployed; the limit is {LIMIT} messages in {options.minutes} min")
            print("\nThe first sweep")
            run.first_sweep()
            print(f"\n{options.count} findings at once")
            _print_table(run.flood(), options.minutes)
    except (SandboxError, TimeoutError) as error:
        problems.append("\n".join([str(error), *getattr(error, "__notes__", ())]))
    print(f"\n{time.monotonic() - began:.0f} s in all. Other work on the machine makes each time longer.")
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return int(bool(problems))


def _old_problems(engineer: Engineer, count: int) -> None:
    """Make functions with statements that allow any account's buckets, as old accounts have them."""
    role = engineer.role("old-role")
    for number in range(count):
        name = f"old-{number // _STATEMENTS}"
        if number % _STATEMENTS == 0:
            engineer.function(name, role)
        engineer.permit(name, f"broad-{number}", "s3.amazonaws.com")


def _findings(count: int) -> Iterator[Finding]:
    """Yield findings of a function each, of all severities."""
    for number in range(count):
        one = a_finding(
            id=f"{number:032x}", severity=list(Severity)[number % 4], title=f"orders-{number} cannot read it"
        )
        yield replace(one, function_arn=f"{one.function_arn}-{number}")


def _print_table(found: Sequence[Row], minutes: int) -> None:
    titles = ("messages", "alone", "others", f"most in {minutes} min", "missing", "repeated", "last after")
    print(f"\n{'channel':<10}", *(f"{title:>13}" for title in titles))
    for row in found:
        values = (row.messages, row.alone, row.others, row.fullest, row.missing, row.repeated, f"{row.last:.0f} s")
        print(f"{row.channel:<10}", *(f"{value:>13}" for value in values))


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)
