"""Deliberate faults of the code under test: each must break an invariant within some thousand seeds.

`python -m tests.simulation.mutations` tries them, each in processes of its own. If a fault is not found, the simulation
is too weak there.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.quotas import QuotaTable
from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.bootstrap import publisher
from permission_guard.bootstrap import sweep as sweep_parts
from permission_guard.checks import checker
from permission_guard.checks.batch import CheckBatch
from permission_guard.delivery.ledger import LOCK_FOR, Claim
from permission_guard.delivery.tickets.github.system import GitHubIssues
from permission_guard.delivery.tickets.jira.system import JiraIssues
from permission_guard.delivery.tickets.servicenow.system import ServiceNowIncidents
from permission_guard.findings.lifecycle import Change
from permission_guard.fixes import fixer, stoppable
from permission_guard.fixes.recorder import FixRecorder
from permission_guard.model.verdicts import Outcome
from tests.simulation.run import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from permission_guard.delivery.waiting import WaitingFinding
    from permission_guard.findings.checkpoint import Checkpoint, CheckRun
    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import Direction, FunctionTarget
    from permission_guard.rules.base import Rule
    from permission_guard.rules.report import Report

    Function = Callable[..., Any]

SEEDS: Final = 2_000
"""Within how many seeds each fault must be found."""


@dataclass(frozen=True, slots=True)
class Part:
    """A function of the code, by its class or module and its name, and what makes its mutation of it."""

    owner: Any
    name: str
    mutated: Callable[[Function], Function]

    def mutate(self) -> None:
        """Put the mutation in its place, for this process."""
        setattr(self.owner, self.name, self.mutated(getattr(self.owner, self.name)))


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault. It is found if one of the `invariants` does not hold, which say what it breaks."""

    name: str
    breaks: str
    parts: tuple[Part, ...]
    invariants: tuple[str, ...]

    def apply(self) -> None:
        """Mutate the code, for this process."""
        for part in self.parts:
            part.mutate()

    def found_in(self, broken: Sequence[str]) -> str:
        """Return the first of its invariants that does not hold, empty if all hold."""
        names = (words.partition(":")[0] for words in broken)
        return next((name for name in names if name in self.invariants), "")


# ── The faults ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _unconditional_update(update_item: Function) -> Function:
    return lambda self, update: update_item(self, _unconditional(update))


def _unconditional_transaction(transact: Function) -> Function:
    return lambda self, writes: transact(
        self, [{kind: _unconditional(one) for kind, one in write.items()} for write in writes]
    )


def _unconditional(write: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in write.items() if name != "ConditionExpression"}


def _acknowledged(handle: Function) -> Function:
    def mutated(self: CheckBatch, event: Any, remaining_time_in_millis: Callable[[], int]) -> dict[str, Any]:
        handle(self, event, remaining_time_in_millis)
        return {"batchItemFailures": []}

    return mutated


def _counted_late(commit_check: Function) -> Function:
    def mutated(
        self: FindingsTable,
        target: FunctionTarget,
        direction: Direction,
        run: CheckRun,
        checkpoint: Checkpoint,
        *,
        changes: Sequence[Change],
        unknowns: Sequence[str],
        now: str,
    ) -> Any:
        latest = replace(run, number=self.start_check(target, direction).number)
        return commit_check(self, target, direction, latest, checkpoint, changes=changes, unknowns=unknowns, now=now)

    return mutated


def granted(_claim: Function) -> Function:
    """Return a claim of deliveries that is always granted."""

    def mutated(_self: DeliveryTable, finding_id: str, channel: str, revision: int, now: datetime) -> Claim:
        until = now + LOCK_FOR
        return Claim(finding_id=finding_id, channel=channel, revision=revision, token="", locked_until=until)

    return mutated


def unrecorded(_complete: Function) -> Function:
    """Return what records no delivery."""
    return lambda _self, _claim, _reference, _expires_at: None


def _uncounted(_replace: Function) -> Function:
    return lambda _self, _item, _before, _times, _now: True


def _dropped(postpone: Function) -> Function:
    def mutated(
        self: WaitingForDigestsTable, claim: Claim, finding: WaitingFinding | None, expires_at: datetime | None
    ) -> None:
        postpone(self, claim, finding, expires_at)
        (item,) = (one for one in self.items(claim.channel) if one.id == claim.finding_id)
        self._transact([{"Delete": self._delete(claim.channel, item)}])

    return mutated


def _no_receivers(_receivers: Function) -> Function:
    return lambda _settings: iter(())


def unowned(_own: Function) -> Function:
    """Return what records that a fix is applied or undone, and not by whom."""

    def mutated(self: FixRecorder, finding: Finding, record: FixRecord) -> Finding:
        change = Change(replace(finding, fix=record), finding.revision)
        self.store.put_finding(change)
        return change.finding

    return mutated


def _ignored(why_stopped: Function) -> Function:
    return lambda state: why_stopped(state) and ""


def _not_found(_find: Function) -> Function:
    return lambda _self, _about: None


def _last_first(publish: Function) -> Function:
    return lambda event, read, bus, logger, metrics: publish(
        {**event, "Records": event["Records"][::-1]}, read, bus, logger, metrics
    )


def _certain(evaluate: Function) -> Function:
    def mutated(snapshot: Snapshot, rules: Sequence[Rule], *, limit: int | None = None) -> Report:
        report: Report = evaluate(snapshot, rules, limit=limit)
        unknown, passed = Outcome.UNKNOWN, Outcome.PASS
        verdicts = (replace(one, outcome=passed) if one.outcome is unknown else one for one in report.verdicts)
        return replace(report, verdicts=tuple(verdicts))

    return mutated


MUTATIONS: Final = (
    Mutation(
        "drop the conditional write",
        "Every write to the findings table replaces what others have written since its check began.",
        (
            Part(FindingsTable, "_update", _unconditional_update),
            Part(FindingsTable, "_transact", _unconditional_transaction),
        ),
        ("equals_a_clean_evaluation", "nothing_is_stuck", "each_transition_is_published_in_order"),
    ),
    Mutation(
        "acknowledge before recording",
        "A message leaves its queue even if its check failed, or was not recorded.",
        (Part(CheckBatch, "handle", _acknowledged),),
        ("equals_a_clean_evaluation",),
    ),
    Mutation(
        "ignore a stale read",
        "A check counts the checks before it when it writes, not before it reads: an older state replaces a newer one.",
        (Part(FindingsTable, "commit_check", _counted_late),),
        ("equals_a_clean_evaluation",),
    ),
    Mutation(
        "skip the ledger",
        "Each delivery is granted, and none is recorded.",
        (Part(DeliveryTable, "claim", granted), Part(DeliveryTable, "complete", unrecorded)),
        ("each_channel_has_the_last_alert",),
    ),
    Mutation(
        "count no message",
        "Each message of a channel is allowed, and none is counted.",
        (Part(QuotaTable, "_replace", _uncounted),),
        ("no_channel_exceeds_its_limit",),
    ),
    Mutation(
        "drop what is over the limit",
        "A finding over the limit of a channel is recorded as delivered, and waits nowhere.",
        (Part(WaitingForDigestsTable, "postpone", _dropped),),
        ("each_channel_has_the_last_alert",),
    ),
    Mutation(
        "forget the catch-up",
        "The sweep hands no open findings over to the alerts, the tickets and the fixes.",
        (Part(sweep_parts, "_receivers", _no_receivers),),
        ("each_channel_has_the_last_alert", "each_finding_has_one_ticket", "each_ticket_is_in_its_finding_s_state"),
    ),
    Mutation(
        "open without searching",
        "A ticket that is not in the ledger is opened without a search for one that exists.",
        tuple(Part(system, "find", _not_found) for system in (GitHubIssues, JiraIssues, ServiceNowIncidents)),
        ("each_finding_has_one_ticket",),
    ),
    Mutation(
        "apply a fix without the lease",
        "A started fix has no owner and no lease, so that another invocation applies it at the same time.",
        (Part(FixRecorder, "own", unowned),),
        ("no_fix_is_applied_twice",),
    ),
    Mutation(
        "ignore the stop",
        "The fixer reads that fixing is stopped, and makes its calls all the same.",
        (Part(fixer, "why_stopped", _ignored), Part(stoppable, "why_stopped", _ignored)),
        ("nothing_is_written_while_fixing_is_stopped",),
    ),
    Mutation(
        "publish out of order",
        "The outbox publishes each batch of its stream from the last record to the first.",
        (Part(publisher, "publish", _last_first),),
        ("each_transition_is_published_in_order",),
    ),
    Mutation(
        "treat unknown as pass",
        "What a rule could not read counts as no problem, for checks and for fixes.",
        (Part(checker, "evaluate", _certain), Part(fixer, "evaluate", _certain)),
        ("only_what_is_gone_resolves",),
    ),
)


# ── Trying them ─────────────────────────────────────────────────────────────────────────────────────────────────────


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutations, print a line about each, and return 1 if one of them is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="within how many seeds each must be found")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("names", nargs="*", help="the mutations to try; all of them if none is named")
    given = parser.parse_args(arguments)
    unknown = set(given.names) - {mutation.name for mutation in MUTATIONS}
    if unknown:
        parser.error(f"there is no mutation {', '.join(sorted(unknown))}; there are: {', '.join(_NAMES)}")
    seeds = range(given.start, given.start + given.seeds)
    found = [_is_found(mutation, seeds) for mutation in MUTATIONS if not given.names or mutation.name in given.names]
    return 0 if all(found) else 1


def _is_found(mutation: Mutation, seeds: range) -> bool:
    """Try seeds in their order, until one finds the mutation; print a line about it."""
    started, others = time.monotonic(), 0
    for number, broken in enumerate(_outcomes(mutation, seeds), 1):
        _show_progress(f"{mutation.name}: {number} of {len(seeds)} seeds")
        seconds = time.monotonic() - started
        if invariant := mutation.found_in(broken):
            _show_progress("")
            print(
                f"{mutation.name}: seed {seeds[number - 1]}, {invariant}, {number} seeds, {seconds:.0f} s", flush=True
            )
            return True
        others += bool(broken)
    _show_progress("")
    also = f"; {others} seeds broke other invariants" if others else ""
    print(f"{mutation.name}: NOT FOUND in {len(seeds)} seeds{also}. {mutation.breaks}", flush=True)
    return False


def _outcomes(mutation: Mutation, seeds: range) -> Iterator[list[str]]:
    """Yield what each seed breaks. The processes are the mutation's own, and hash texts in the same way each time."""
    os.environ["PYTHONHASHSEED"] = "0"
    processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    number = _NAMES.index(mutation.name)
    with ProcessPoolExecutor(processes, get_context("spawn"), _prepare, (number,)) as pool:
        try:
            yield from pool.map(_broken, seeds)
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare(number: int) -> None:
    """Mutate the code of a new process, and leave Ctrl-C to the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    MUTATIONS[number].apply()


def _broken(seed: int) -> list[str]:
    return simulate(seed).broken


def _show_progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


_NAMES: Final = tuple(mutation.name for mutation in MUTATIONS)

if __name__ == "__main__":
    sys.exit(main())
