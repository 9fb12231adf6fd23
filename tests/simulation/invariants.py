"""What must hold when the system is quiet, whatever happened on the way."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from permission_guard.config.document import RuleConfig
from permission_guard.delivery.alerts.base import ALERTED
from permission_guard.model.findings import FixResult, Status, Transition
from permission_guard.model.suppressions import SuppressedBy
from tests.simulation.decisions import findings_in
from tests.simulation.evaluation import clean_evaluation, config_of
from tests.simulation.observations import ATTACH, DETACH, ENABLE
from tests.simulation.problems import EXECUTION_POLICIES
from tests.simulation.ticket_invariants import (
    each_closing_gets_at_most_one_comment,
    each_finding_has_one_ticket,
    each_ticket_is_in_its_finding_s_state,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.model.findings import Finding
    from tests.simulation.world import World

MOST_FIXES = 3
HOUR = 3_600
A_FIX_TAKES = 60
"""Seconds: a fix that is counted in one hour may be applied in the next one."""


def broken(world: World) -> list[str]:
    """Return what does not hold, each with the name of its invariant."""
    findings = findings_in(world)
    return [f"{invariant.__name__}: {words}" for invariant in _INVARIANTS for words in invariant(world, findings)]


def equals_a_clean_evaluation(world: World, findings: list[Finding]) -> Iterator[str]:
    """The table equals a clean full evaluation: no finding is missing, none is left, none has another severity."""
    expected, unknown = clean_evaluation(world)
    config = config_of(world)
    now = {one.id: one for one in findings if one.status is not Status.RESOLVED}
    for identifier in sorted(expected.keys() - now.keys()):
        yield f"{identifier} is missing"
    for identifier, finding in sorted(now.items()):
        if identifier in expected:
            if finding.severity is not expected[identifier]:
                yield f"{name_of(finding)} is {finding.severity}, not {expected[identifier]}"
        elif identifier not in unknown and config.rules.get(finding.rule_id, RuleConfig()).enabled:
            yield f"{name_of(finding)} is {finding.status}, but there is no such problem"


def suppressions_are_those_of_the_configuration(world: World, findings: list[Finding]) -> Iterator[str]:
    """An exception suppresses what it matches, and nothing that ended suppresses anything."""
    config = config_of(world)
    for finding in findings:
        matches = any(
            finding.rule_id in entry.rules
            and finding.function_arn.rpartition(":")[2] in entry.functions
            and entry.expires.timestamp() > world.now
            for entry in config.exceptions
        )
        if finding.status is Status.OPEN and matches:
            yield f"{name_of(finding)} is open in spite of an exception"
        by_exception = finding.suppression is not None and finding.suppression.by is SuppressedBy.EXCEPTION
        if finding.status is Status.SUPPRESSED and by_exception and not matches:
            yield f"{name_of(finding)} is suppressed by an exception that does not exist"
        until = finding.suppression.until if finding.suppression else None
        if finding.status is Status.SUPPRESSED and until and datetime.fromisoformat(until).timestamp() <= world.now:
            yield f"{name_of(finding)} is suppressed beyond {until}"


def nothing_is_stuck(world: World, findings: list[Finding]) -> Iterator[str]:
    """No finding is in an intermediate state, and no message waits anywhere."""
    for finding in findings:
        fix = finding.fix
        if fix is not None and (fix.result is FixResult.APPLYING or fix.is_undo_requested):
            undo = ", and to be undone" if fix.is_undo_requested else ""
            yield f"the fix of {name_of(finding)} is {fix.result}{undo}"
    for queue in world.queues.queues.values():
        if queue.messages:
            yield f"{len(queue.messages)} messages are in {queue.name}"
    for channel, identifier in waiting_items(world):
        yield f"{identifier} waits for a digest of {channel}"
    for shard in world.transport.shards:
        if shard.position < len(shard.records):
            yield f"{len(shard.records) - shard.position} records of the stream are not published"


def each_channel_has_the_last_alert(world: World, findings: list[Finding]) -> Iterator[str]:
    """Each channel got the last alert of each finding; revisions never go backwards; none comes twice.

    Twice, and an earlier one after a later one, is allowed where a crash or a failed call kept what was sent from being
    recorded: nobody knows then that it was. What waits for a digest is sent when a digest has it.
    """
    for channel, messages in world.receivers.messages.items():
        got: dict[str, list[int]] = defaultdict(list)
        for message in messages:
            identifier, _, revision = message.rpartition("-")
            is_finding = bool(identifier) and revision.isdecimal()  # a digest has no revisions
            got[identifier if is_finding else message].append(int(revision) if is_finding else 1)
        for finding in findings:
            revisions = got[finding.id]
            alerted = _alerted(finding)
            # The sweep hands the last transition over. Of one that no alert is about, only the bus has those before.
            is_lost = (finding.id, alerted) in world.seen.lost and alerted != finding.revision
            if alerted is not None and alerted not in revisions and not is_lost:
                yield f"{channel} has no alert of revision {alerted} of {name_of(finding)}: {revisions}"
            if revisions != sorted(revisions) and not world.unrecorded:
                yield f"{channel}: the revisions of {name_of(finding)} go backwards: {revisions}"
        twice = sum(count - 1 for revisions in got.values() for count in Counter(revisions).values())
        if twice > world.unrecorded * world.receivers.largest:
            yield f"{channel}: {twice} alerts came twice, and {world.unrecorded} were sent but not recorded"


def no_channel_exceeds_its_limit(world: World, _findings: list[Finding]) -> Iterator[str]:
    """In no window has a channel got more messages than the configuration allows."""
    most, seconds = world.limit.messages, world.limit.minutes * 60
    for channel, times in world.receivers.times.items():
        for first, after in zip(times, times[most:], strict=False):
            if after - first < seconds:
                yield f"{channel} got more than {most} messages within {after - first:.0f} seconds"


def waiting_items(world: World) -> list[tuple[str, str]]:
    """Return what waits for digests: the channel, and the id of a finding or of another digest."""
    keys = world.tables.items["DeliveriesTable"]
    return [(one.removeprefix("WAITING#"), identifier) for one, identifier in keys if one.startswith("WAITING#")]


def every_write_was_planned(world: World, findings: list[Finding]) -> Iterator[str]:
    """Each change had a recorded plan, of the right mode, with a decision where one is needed, as an undo does."""
    ceiling = world.stack.environments["apply_fix"].get("FIX_MODE", "off")
    if len(world.account.written_by_us) != len(world.seen.writes):
        yield f"{len(world.account.written_by_us)} changes were made, {len(world.seen.writes)} by fixes"
    for one in world.seen.writes:
        mode = ceiling if one.is_undo else min(ceiling, _mode_set(one.document, one.rule_id), key=_MODES.index)
        if mode not in ("approve", "auto"):
            yield f"the mode of {one.rule_id} is {mode}, and {one}"
        if one.operation in (ATTACH, DETACH) and one.policy not in EXECUTION_POLICIES:
            yield f"{one}"
        if one.operation == ENABLE and not one.is_undo and not _fixes_set(one.document).get("enable_mappings"):
            yield f"{one}, and the configuration does not allow that"
        if one.plan is None:
            yield f"{one} without a recorded plan"
        elif one.is_undo and not one.is_requested:
            yield f"{one}, and nobody requested that"
        elif not one.is_undo and (mode == "approve" or "functions" in one.plan.rests_on) and not one.plan.decided_by:
            yield f"{one} without a decision"
    for finding in findings:
        if finding.fix and finding.fix.attempts > MOST_FIXES:
            yield f"{name_of(finding)} was fixed {finding.fix.attempts} times"


def _mode_set(document: str, rule_id: str) -> str:
    """Return the mode of fixes that a configuration sets for a rule."""
    rules = json.loads(document).get("rules", {}) if document else {}
    mode: str = rules.get(rule_id, {}).get("fix") or _fixes_set(document).get("mode", "auto")
    return mode


def _fixes_set(document: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document).get("fixes", {}) if document else {}
    return found


_MODES = ("off", "plan", "approve", "auto")


def nothing_is_written_while_fixing_is_stopped(world: World, _findings: list[Finding]) -> Iterator[str]:
    """Immediately before each change, the invocation has read that fixing is not stopped."""
    for one in world.seen.writes:
        if not one.may_fix:
            yield f"{one}, and fixing was stopped, or that was not read"


def no_fix_is_applied_twice(world: World, _findings: list[Finding]) -> Iterator[str]:
    """Each attempt of a fix is applied, or undone, by one invocation, and those of one finding not at the same time."""
    for one in world.seen.writes:
        for other in one.others:
            yield f"{one} ({one.attempt[:8]}), and also by {other}"


def no_more_fixes_than_allowed(world: World, _findings: list[Finding]) -> Iterator[str]:
    """No more fixes are applied or undone in an hour than the setting allows."""
    allowed = int(world.stack.environments["apply_fix"]["MAX_FIXES_AN_HOUR"])
    attempts: dict[float, set[str]] = defaultdict(set)
    for one in (*world.seen.attachments, *world.seen.detachments):
        if one.at % HOUR > A_FIX_TAKES:
            attempts[one.at // HOUR].add(one.attempt)
    for found in attempts.values():
        if len(found) > allowed:
            yield f"{len(found)} fixes were applied or undone in an hour, and {allowed} are allowed"


def each_transition_is_published_in_order(world: World, findings: list[Finding]) -> Iterator[str]:
    """The bus got each transition of each finding, and none for the first time before an earlier one."""
    for finding in findings:
        published = list(dict.fromkeys(world.seen.published.get(finding.id, ())))
        if published != list(range(1, finding.revision + 1)):
            yield f"the bus got {published} of {finding.revision} revisions of {name_of(finding)}"


def only_what_is_gone_resolves(world: World, _findings: list[Finding]) -> Iterator[str]:
    """No finding is resolved while its problem exists: what cannot be read is unknown, not a pass."""
    for words in world.seen.resolved_early:
        yield f"resolved, but the problem existed: {words}"


def _alerted(finding: Finding) -> int | None:
    """Return the last revision of a finding that is alerted, None if there is none.

    Nobody is told about the end of what nobody was told about: a finding that was suppressed from the start, or that
    belongs to the digest of the first sweep.
    """
    last, was_open = None, False
    for past in sorted(finding.history, key=lambda one: one.revision):
        is_end = past.transition in _ENDS
        if past.transition in ALERTED and (was_open or not is_end):
            last = past.revision
        was_open = not is_end
    return None if finding.baseline else last


_ENDS = (Transition.SUPPRESSED, Transition.RESOLVED)


_INVARIANTS: tuple[Callable[[World, list[Finding]], Iterator[str]], ...] = (
    equals_a_clean_evaluation,
    suppressions_are_those_of_the_configuration,
    nothing_is_stuck,
    each_channel_has_the_last_alert,
    no_channel_exceeds_its_limit,
    each_finding_has_one_ticket,
    each_ticket_is_in_its_finding_s_state,
    each_closing_gets_at_most_one_comment,
    every_write_was_planned,
    nothing_is_written_while_fixing_is_stopped,
    no_fix_is_applied_twice,
    no_more_fixes_than_allowed,
    each_transition_is_published_in_order,
    only_what_is_gone_resolves,
)
