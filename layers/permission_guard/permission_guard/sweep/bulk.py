"""Evaluate all functions of one account and region in bulk: the parts are read by lists, each function as it arrives.

Pure: what reads is given. `bootstrap/scan.py` puts it together for boto3.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.checks.engine import MAX_VIOLATIONS, evaluate, merge_versions
from permission_guard.config.document import GuardConfig
from permission_guard.findings.exceptions import exclusion_of, exclusions_by_tag, has_tags, names_function
from permission_guard.findings.recorded_tags import recorded_tags
from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.records import field, record
from permission_guard.rules.report import Report
from permission_guard.sweep.gaps import Gap, GapKind, SharedUnknowns, SharedUnread
from permission_guard.sweep.pipeline import Pipeline
from permission_guard.sweep.progress import CallRate, Progress
from permission_guard.sweep.role_evaluation import RoleEvaluations
from permission_guard.sweep.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from threading import Event

    from permission_guard.model.state import ManagedBy, Snapshot
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule
    from permission_guard.sweep.role_evaluation import KeptFunction

__all__ = [
    "DEFAULT_RATE",
    "FULL_RATE",
    "BulkEvaluation",
    "BulkFunction",
    "BulkOptions",
    "CallRate",
    "Evaluation",
    "Gap",
    "GapKind",
    "Progress",
    "SharedPart",
]

DEFAULT_RATE: Final = 10.0
"""Calls a second to Lambda's control plane besides GetPolicy: a third of the shared limit is left to deployments."""

FULL_RATE: Final = 15.0
"""AWS's limit, which all callers of the account and region share."""

_TAGS: Final = "the tags of the functions"


@record(kw_only=True)
class BulkOptions:
    """What to evaluate, and how fast.

    `rules` are the ids of the selected rules, None for all. They decide what is read. `full` reads each function's URLs
    and state too. `functions` are globs of names, or of ARNs if they begin with `arn:`; `tags` are globs by tag key,
    all of which a function must match. `rate` are the calls a second to Lambda's control plane besides GetPolicy, and
    `policy_rate` those of GetPolicy; None sets no limit, for tests and benchmarks only. `inventory_seconds` is the time
    limit of one inventory (the triggers of one service). `workers` is the number of threads.
    """

    config: GuardConfig = field(default_factory=GuardConfig)
    rules: frozenset[str] | None = None
    full: bool = False
    functions: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    rate: float | None = DEFAULT_RATE
    policy_rate: float | None = FULL_RATE
    inventory_seconds: float = 60.0
    workers: int = 32

    @property
    def selection(self) -> Selection:
        """The selected rules, and what they need."""
        return Selection(self.rules, full=self.full)


@record(kw_only=True)
class Evaluation:
    """One function's report, or one role's.

    `report` has the verdicts of both directions, `managed_by`, `tags` (those that findings record) and `not_evaluated`.
    Unknown verdicts that are the same for all functions are not in it: they are a `Gap`. `snapshots` is what was read,
    without environment variables; `tags` are all tags of the function, None if they were not read.

    The verdicts of PG208 and PG209 are about a role. They come at the end, once for each role, in an evaluation of the
    first function that uses it: `role_arn` is the role, and `functions` are the ARNs of all functions that use it.
    """

    report: Report
    snapshots: Mapping[Direction, Snapshot] = field(default_factory=dict)
    tags: Mapping[str, str] | Unread | None = None
    role_arn: str = ""
    functions: tuple[str, ...] = ()


class BulkFunction(Protocol):
    """One function that was listed, and what is read of it alone. One thread at a time uses it."""

    @property
    def target(self) -> FunctionTarget:
        """The function."""

    @property
    def role_arn(self) -> str:
        """The role of the function itself."""

    def read(self) -> None:
        """Make the calls about this function that depend on no shared part."""

    def snapshot(self, direction: Direction) -> Snapshot:
        """Return what a direction needs, with the shared parts."""

    def tags(self) -> Mapping[str, str] | Unread:
        """Return the function's tags."""

    def managed_by(self) -> ManagedBy | Unread | None:
        """Return the infrastructure code that owns the function, None if it is unknown."""

    def keep(self) -> KeptFunction:
        """Return, in a small form, what the snapshot of the execution role can be made of again without a call."""


class SharedPart(Protocol):
    """A part that all functions share, read once."""

    @property
    def name(self) -> str:
        """What it is, for sentences."""

    def load(self) -> None:
        """Read it. What fails is kept as Unread."""

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """What could not be read so far."""


class BulkEvaluation:
    """Evaluates the functions that `functions` lists, once.

    `rules` are the configured rules that are selected, of both directions. `seconds` is a clock, `rates` the use of
    the limits, and `not_listed` which functions could not be listed.
    """

    def __init__(
        self,
        functions: Iterable[BulkFunction],
        parts: Sequence[SharedPart],
        rules: Sequence[Rule],
        options: BulkOptions,
        *,
        stop: Event,
        rates: Callable[[], tuple[CallRate, ...]] = tuple,
        not_listed: Callable[[], tuple[SharedUnread, ...]] = tuple,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._functions = functions
        self._parts = parts
        self._rules = {
            direction: [rule for rule in rules if rule.direction is direction and not rule.of_denied_calls]
            for direction in Direction
        }
        self._options = options
        self._config = options.config
        self._stop = stop
        self._rates = rates
        self._seconds = seconds
        self._started_at = seconds()
        self._lock = Lock()
        self._loading = {part.name: None for part in parts}
        self._unknowns = SharedUnknowns(lambda: (*(unread for part in parts for unread in part.unread), *not_listed()))
        by_qualifier = {rule_id for entry in self._config.exceptions if entry.qualifiers for rule_id in entry.rules}
        self._by_qualifier = frozenset(by_qualifier)
        of_roles = [rule for rule in self._rules[Direction.EXECUTION_ROLE] if rule.of_role]
        self._roles = RoleEvaluations(of_roles, self._config)
        self._pipeline = Pipeline(
            self._selected(),
            self._read,
            self._evaluate,
            preparations=[partial(self._load, part) for part in parts],
            workers=options.workers,
            stop=stop,
        )
        self._listed = self._done = self._findings = 0
        self._is_listed = self._is_complete = False

    def __iter__(self) -> Iterator[Evaluation | None]:
        """Yield an evaluation for each function as it is ready, then one for each role; None while there is none."""
        for found in self._pipeline:
            if found is not None:
                self._done += 1
                self._findings += len(found.report.violations)
            yield found
        if self._stop.is_set():
            return
        for report, role_arn, functions, snapshot in self._roles.reports():
            if self._stop.is_set():
                return
            kept = replace(report, verdicts=self._unknowns.without(report.verdicts))
            self._findings += len(kept.violations)
            yield Evaluation(
                report=kept,
                snapshots={} if snapshot is None else {Direction.EXECUTION_ROLE: snapshot},
                role_arn=role_arn,
                functions=functions,
            )
        self._is_complete = True

    @property
    def progress(self) -> Progress:
        """How far the evaluation is."""
        with self._lock:
            loading = next(iter(self._loading), "")
        return Progress(
            listed=self._listed,
            is_listed=self._is_listed,
            done=self._done,
            findings=self._findings,
            seconds=self._seconds() - self._started_at,
            rates=self._rates(),
            waits_for=loading,
        )

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was not evaluated, whatever the functions are, and what could not be read."""
        if self._is_complete:
            return self._unknowns.gaps
        reason = f"The scan was stopped: {self._done} of {self._listed} listed functions are evaluated."
        gap = Gap(kind=GapKind.STOPPED, what="the functions that are left", reason=reason)
        return (*self._unknowns.gaps, gap)

    def _load(self, part: SharedPart) -> None:
        try:
            part.load()
        finally:
            with self._lock:
                self._loading.pop(part.name, None)

    def _selected(self) -> Iterator[BulkFunction]:
        """Yield the functions that the options select. All of them count as users of their roles."""
        for function in self._functions:
            self._roles.uses(function.role_arn, function.target)
            if self._options.functions and not names_function(self._options.functions, function.target):
                continue
            if self._options.tags and not has_tags(function.tags(), self._options.tags):
                continue
            self._listed += 1
            yield function
        self._is_listed = True

    def _read(self, function: BulkFunction) -> None:
        if exclusion_of(self._config, function.target, None) is None:
            function.read()

    def _evaluate(self, function: BulkFunction) -> Evaluation:
        target, tags = function.target, function.tags()
        rules, not_evaluated = self._included(target, tags)
        verdicts: list[Verdict] = []
        snapshots: dict[Direction, Snapshot] = {}
        for direction, included in rules.items():
            if not included:
                continue
            snapshot = function.snapshot(direction)
            if direction is Direction.EXECUTION_ROLE:
                users = dict.fromkeys(set(snapshot.role_arns.values()), (target,))
                snapshot = replace(snapshot, role_users=users)
            report = merge_versions(evaluate(snapshot, included, limit=MAX_VIOLATIONS), self._stays_apart)
            snapshots[direction] = replace(snapshot, tags=tags)
            verdicts += report.verdicts
            if direction is Direction.EXECUTION_ROLE:
                self._roles.add(function, snapshot, report)
        owner = function.managed_by()
        report = Report(
            target,
            {rule.id: rule for included in rules.values() for rule in included if not rule.of_role},
            self._unknowns.without([verdict for verdict in verdicts if not verdict.role_arn]),
            deleted=any(snapshot.function is None for snapshot in snapshots.values()),
            managed_by=None if isinstance(owner, Unread) else owner,
            tags=None if isinstance(tags, Unread) else recorded_tags(tags, self._config),
            not_evaluated=not_evaluated,
        )
        return Evaluation(report=report, snapshots=snapshots, tags=tags)

    def _stays_apart(self, verdict: Verdict) -> bool:
        """Return whether versions keep their own findings: an exception for a qualifier does not mean the versions."""
        return verdict.rule_id in self._by_qualifier

    def _included(
        self, target: FunctionTarget, tags: Mapping[str, str] | Unread
    ) -> tuple[Mapping[Direction, Sequence[Rule]], Mapping[str, str]]:
        """Return the rules to evaluate by direction, and why the others are not, as a checker does.

        While the tags cannot be read, and could exclude the function, nothing is evaluated.
        """
        exclusion = exclusion_of(self._config, target, tags)
        if exclusion is None:
            is_open = isinstance(tags, Unread) and exclusions_by_tag(self._config)
            return ({} if is_open else self._rules), {}
        is_by_name = exclusion_of(self._config, target, None) is not None
        included = {
            direction: [rule for rule in rules if rule.of_role and not is_by_name]
            for direction, rules in self._rules.items()
        }
        reason = f"The configuration excludes the function: {exclusion.reason}"
        kept = [rule for rules in included.values() for rule in rules]
        return included, {rule.id: reason for rules in self._rules.values() for rule in rules if rule not in kept}
