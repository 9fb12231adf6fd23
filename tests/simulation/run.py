"""Run one seed: the story, the faults, the order, until the system is quiet; then say what does not hold."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from traceback import format_exc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import time_machine
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from permission_guard.aws import clients
from permission_guard.bootstrap import decisions, findings, fixes, snapshots, tickets
from permission_guard.checks import checker
from permission_guard.delivery import ledger
from permission_guard.delivery.alerts import waiting
from permission_guard.delivery.alerts.slack import channel as slack_channel
from permission_guard.delivery.alerts.slack import webhook
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns import channel as sns_channel
from permission_guard.delivery.http.api import JsonApi
from permission_guard.delivery.waiting_digests import waiting_digest
from permission_guard.fixes import fixer, undo
from permission_guard.needs import of_snapshot, role_permissions
from tests.in_memory.errors import RejectedError
from tests.inline_pool import InlinePool
from tests.simulation import evaluation
from tests.simulation.choices import Choices
from tests.simulation.environments import app, keep_for_each_environment
from tests.simulation.faults import Faults
from tests.simulation.invariants import broken, waiting_items
from tests.simulation.memory import remembering
from tests.simulation.stack import FIXES_AN_HOUR, deployed
from tests.simulation.story import PERSON, Step, maintain, steps_of, sweep
from tests.simulation.ticket_systems import EVERYWHERE, OPS_ITEM, WITH_SECURITY_HUB, SimulatedSession
from tests.simulation.world import START, NeverQuietError, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.delivery.waiting import WaitingItem
    from permission_guard.delivery.waiting_digests import WaitingDigest
    from tests.in_memory.client import Client
    from tests.simulation.stack import Stack

MODES = ("off", "approve", "auto", "auto")
_MOST_CALLS = 400
_LONGEST_STORM = 25
_LOST_EVENTS = 0.02
_REDRIVES = 3
_MOST_DIGESTS = 12
_MOST_DELIVERIES = 12
"""After this number nothing more happens in a story, so that nearly every seed ends within 40."""
_HOURS = 7_200.0
_TICKET_SYSTEMS = (OPS_ITEM, EVERYWHERE, OPS_ITEM, WITH_SECURITY_HUB)

_PURE = (
    (checker, "evaluate"),
    (role_permissions, "required_permissions"),
    (evaluation, "evaluate"),
    (fixer, "evaluate"),
    (undo, "evaluate"),
    (of_snapshot, "states_to_read"),
    (of_snapshot, "policies_to_read"),
)
"""The functions that evaluate states, in the modules that their callers find them in."""

_running: list[World] = []


@dataclass
class Outcome:
    """What became of a seed. `unusual` are its decisions that were not ordinary, by name."""

    seed: int
    broken: list[str]
    steps: list[Step]
    unusual: list[str]
    deliveries: int
    calls: int
    seconds: float
    words: list[str] = field(default_factory=list)


def simulate(
    seed: int,
    *,
    without_steps: frozenset[int] = frozenset(),
    left_out: frozenset[str] = frozenset(),
    with_words: bool = False,
) -> Outcome:
    """Run a seed, without some steps of its story and without some unusual decisions."""
    choices = Choices(seed, left_out)
    steps = [step for number, step in enumerate(steps_of(seed)) if number not in without_steps]
    words: list[str] | None = [] if with_words else None
    mode, fixes_an_hour = choices.pick("mode", MODES), choices.pick("fixes an hour", FIXES_AN_HOUR)
    systems = choices.pick("ticket systems", _TICKET_SYSTEMS)
    with installed(deployed(mode, fixes_an_hour, systems), choices, words) as world:
        started = time.process_time()
        if words is not None:
            words.append(f"seed {seed}: FixMode {mode}")
        try:
            _live(world, choices, steps)
            found = broken(world)
        except NeverQuietError as error:
            found = [f"becomes_quiet: {error}"]
        except Exception as error:  # noqa: BLE001 - a seed with an error fails like any other, and stops no other seed
            world.tell(format_exc())
            found = [f"raises_nothing: {error!r}"]
        seconds = time.process_time() - started
        return Outcome(
            seed, found, steps, choices.unusual, world.all_deliveries, world.calls, seconds, words if words else []
        )


def _live(world: World, choices: Choices, steps: list[Step]) -> None:
    """Let the first sweep run, then the story with its faults, then what the schedules do."""
    sweep(world)
    world.run_until_quiet()
    if choices.pick("baseline", ("closed", "closed", "open")) == "closed":
        maintain(world)
        world.run_until_quiet()
    for step in steps:
        if step.is_before and world.stack.environments["apply_fix"]["FIX_MODE"] != MODES[0]:
            world.tell(step.words)
            step.act(world)
            world.count_anew(world.all_deliveries // 2)  # so that the story ends within 40, and is one all the same
    first = world.calls
    windows = [
        range(start, start + choices.pick("storm length", range(_LONGEST_STORM)))
        for start in (
            first + choices.pick("storm", range(_MOST_CALLS)) for _ in range(choices.pick("storms", range(4)))
        )
    ]
    world.faults = Faults(tuple(windows), choices.pick("vendors", (False, True)), lost_event=_LOST_EVENTS)
    at = 0.0
    for step in steps:
        if step.is_before:
            continue
        at += step.after
        world.later(at, step.words, partial(_act, world, step))
    world.run_until_quiet()
    world.faults = Faults()
    if choices.pick("hours pass", (False, False, True)):
        world.advance_to(world.now + _HOURS)  # every exception and suppression of the story has ended
    _settle(world)


def _act(world: World, step: Step) -> None:
    """Let a step happen, unless the seed has had most of its deliveries: the rest is what they lead to."""
    if world.deliveries < _MOST_DELIVERIES:
        step.act(world)
    else:
        world.tell("but it does not happen")


def _settle(world: World) -> None:
    """Do what the schedules and an operator do after the last change: redrive dead letters, sweep if it is needed.

    A configuration takes effect at the next check, and a lost event is found by the sweep.
    """
    for _ in range(_REDRIVES):
        redriven = _redrive(world)
        if world.transport.dropped or world.configurations or redriven or world.has_sweep:
            world.advance_to(world.now + 60.0)
            sweep(world)
            world.run_until_quiet()
        world.advance_to(world.now + 60.0)
        maintain(world)
        world.run_until_quiet()
        _send_what_waits(world)
        if not any(queue.messages for queue in world.queues.queues.values()):
            return


def _send_what_waits(world: World) -> None:
    """Let time pass until nothing waits for a digest: maintenance requests it every ten minutes."""
    for _ in range(_MOST_DIGESTS):
        if not waiting_items(world):
            return
        world.advance_to(world.now + 600.0)
        maintain(world)
        world.run_until_quiet()


def _redrive(world: World) -> bool:
    """Move every dead letter back, as an operator does when the cause is gone; return whether there was one."""
    found = False
    for queue in world.queues.queues.values():
        if queue.dead_letters is not None and queue.dead_letters.messages:
            found = True
            for message in list(queue.dead_letters.messages.values()):
                del queue.dead_letters.messages[message.id]
                world.queues.send(queue, message.body)
    world.run_until_quiet()
    return found


@contextmanager
def installed(stack: Stack, choices: Choices, words: list[str] | None) -> Iterator[World]:
    """Put the simulation in the place of AWS, of the clock and of the threads."""
    _install()
    with time_machine.travel(START, tick=False) as traveller:
        world = World(stack, choices, move_clock=traveller.move_to, words=words)
        _running.append(world)
        try:
            for function, variables in stack.environments.items():
                app(function).os = SimpleNamespace(environ=dict(variables))
            yield world
        finally:
            _running.pop()


@cache
def _install() -> None:
    """Replace, once for the process, what reaches out of it."""
    os.environ |= {
        "POWERTOOLS_LOG_LEVEL": os.environ.get("SIMULATION_LOG_LEVEL", "CRITICAL"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    for name in ("client", "_client", "_prompt_client"):
        setattr(clients, name, _client)
    keep_for_each_environment(lambda: _running[-1].environment)
    for module, name, part in (
        (snapshots, "thread_pool", InlinePool),
        (fixes, "thread_pool", InlinePool),
        (time, "sleep", _sleep),
        (decisions, "proven_caller", lambda *_args: PERSON),
        (findings, "proven_caller", lambda *_args: PERSON),
        (slack_channel, "payload", lambda message, *more: {"about": message.key, **payload(message, *more)}),
        (webhook, "post", _post),
        (waiting, "waiting_digest", _noted),
        (sns_channel, "_LONGEST_ID", sys.maxsize),  # so that a message says what it is about
        (tickets, "_session", _session),
        # Metrics are printed to standard output, and warn where there are none.
        (AmazonCloudWatchEMFProvider, "flush_metrics", lambda metrics, **_options: metrics.clear_metrics()),
    ):
        setattr(module, name, part)
    for module, name in _PURE:
        setattr(module, name, remembering(getattr(module, name)))
    for deliver in (ledger.deliver, ledger.deliver_once):
        deliver.__kwdefaults__ = {**(deliver.__kwdefaults__ or {}), "wait": _sleep}
    defaults = JsonApi.__init__.__kwdefaults__ or {}
    JsonApi.__init__.__kwdefaults__ = {**defaults, "clock": lambda: _running[-1].now, "wait": _sleep}


def _noted(items: Sequence[WaitingItem], *args: Any, **options: Any) -> WaitingDigest:
    """Make a digest of what waits, and note which revisions it is about."""
    made = waiting_digest(items, *args, **options)
    about = [(one.id, one.finding.revision) for one in made.items if one.finding is not None]
    assert len(about) == len(made.items)
    _running[-1].receivers.digests[made.digest.id] = about
    return made


def _client(service: str) -> Client:
    return _running[-1].client(service)


def _sleep(seconds: float) -> None:
    _running[-1].sleep(seconds)


def _post(_url: str, content: dict[str, Any], _max_seconds: float = 0.0) -> webhook.PostResult:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        _running[-1].call("slack", "Post", content)
    except (BotoCoreError, RejectedError) as error:
        return webhook.PostResult(None, type(error).__name__)
    return webhook.PostResult(200, "ok")


def _session() -> SimulatedSession:
    def postponed() -> None:
        _running[-1].transport.dropped += 1  # the sweep makes up for it

    return SimulatedSession(
        _running[-1].call,
        lambda options: _running[-1].choices.pick("retry after", options),
        postponed,
    )
