"""Accounts to scan without AWS: `permission-guard scan` runs with them, and the rules evaluate their snapshots."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer
from typer.testing import CliRunner

from permission_guard.aws.sessions import Identity
from permission_guard.bootstrap import scan_places
from permission_guard.checks.engine import evaluate
from permission_guard.cli.scan import scan
from permission_guard.errors import ConfigurationError
from permission_guard.findings.exceptions import exclusion_of
from permission_guard.model.access import Access, Decision
from permission_guard.model.findings import FixRecord, FixResult, PlannedCall, Transition
from permission_guard.model.state import ResourcePolicy, Snapshot, Unread
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.rules import RULES
from permission_guard.rules.configured import configured
from permission_guard.sweep.bulk import CallRate, Evaluation
from tests.fakes import ACCOUNT, REGION, a_function, a_policy, a_role, polling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from threading import Event

    import pytest
    from typer.testing import Result

    from permission_guard.config.document import GuardConfig
    from permission_guard.model.findings import Finding
    from permission_guard.sweep.bulk import BulkOptions, Gap, Progress

_ONLY = typer.Typer(pretty_exceptions_enable=False)
_ONLY.command()(scan)

PUBLIC = {"Sid": "everyone", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "*"}
BUCKETS = {**PUBLIC, "Sid": "buckets", "Principal": {"Service": "s3.amazonaws.com"}}
EVALUATED = ("PG101", "PG102", "PG201", "PG209")
"""The rules that the fakes have state for."""


def a_target(name: str, account: str = ACCOUNT, region: str = REGION) -> FunctionTarget:
    """Return a function."""
    return FunctionTarget("aws", region, account, name)


@dataclass
class FakeFunction:
    """A function with the statements of its policy; `unread` if AWS denies reading it."""

    name: str
    statements: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    unread: bool = False
    polls: bool = False

    def snapshots(self, account: str, region: str) -> dict[Direction, Snapshot]:
        """Return what a scan reads of it."""
        target = a_target(self.name, account, region)
        policies: tuple[ResourcePolicy | Unread, ...] = ()
        if self.unread:
            message = f"not authorized to perform: lambda:GetPolicy on {target.arn}"
            policies = (Unread("lambda:GetPolicy", "AccessDeniedException", message, denied=True),)
        elif self.statements:
            document = a_policy({"Version": "2012-10-17", "Statement": list(self.statements)})
            policies = (ResourcePolicy(target.arn, None, document),)
        own = Snapshot(target, a_function(target), resource_policies=policies)
        role = replace(polling(a_role()), target=target) if self.polls else Snapshot(target, a_function(target))
        return {Direction.INVOKE_POLICY: own, Direction.EXECUTION_ROLE: role}


class FakeScan:
    """Stands for `RegionScan`: evaluates snapshots with the rules."""

    def __init__(
        self, functions: Sequence[FakeFunction], account: str, region: str, options: BulkOptions, stop: Event
    ) -> None:
        self._functions, self._account, self._region = functions, account, region
        self._options, self._stop = options, stop
        self.gaps: tuple[Gap, ...] = ()
        self.error: Exception | None = None
        self.on_progress: Callable[[Progress], None] = lambda _progress: None
        self.after_each: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[Evaluation]:
        """Yield the evaluation of each function."""
        rules = [one for one in RULES if one.id in (self._options.rules or EVALUATED)]
        own = configured([rule for rule in rules if rule.id in EVALUATED], self._options.config)
        for number, function in enumerate(self._functions):
            if self._stop.is_set():
                return
            snapshots = function.snapshots(self._account, self._region)
            target = snapshots[Direction.INVOKE_POLICY].target
            verdicts = [
                verdict
                for direction, snapshot in snapshots.items()
                for verdict in evaluate(snapshot, [rule for rule in own if rule.direction is direction]).verdicts
            ]
            report = evaluate(snapshots[Direction.INVOKE_POLICY], own)
            exclusion = exclusion_of(self._options.config, target, function.tags)
            if exclusion:
                verdicts = []
                reason = f"The configuration excludes the function: {exclusion.reason}"
                report = replace(report, not_evaluated={rule.id: reason for rule in own})
            yield Evaluation(report=replace(report, verdicts=tuple(verdicts)), snapshots=snapshots, tags=function.tags)
            self.on_progress(_progress(number + 1, len(self._functions)))
            self.after_each()
        if self.error:
            raise self.error


def _progress(done: int, listed: int) -> Any:
    rates = (CallRate(name="lambda:GetPolicy", calls=done, throttled=0, rate=14.6, limit=15.0),)
    return SimpleNamespace(
        listed=listed, is_listed=True, done=done, findings=1, rates=rates, waits_for="", seconds_left=61.0
    )


class FakePlanner:
    """Stands for what plans fixes."""

    def planned(self, finding: Finding, _snapshot: Snapshot, now: str) -> Finding:
        """Return a finding with a plan."""
        call = PlannedCall(operation="lambda:RemovePermission", parameters={"StatementId": "everyone"})
        fix = FixRecord(
            name="remove_statement",
            result=FixResult.PROPOSED,
            summary="Remove the statement",
            at=now,
            attempts=0,
            calls=(call,),
            planned_at=now,
            certificate={"kind": "removal", "holds": True, "grounds": ["Nothing is allowed that was not before."]},
        )
        return replace(finding, fix=fix, transition=Transition.FIX_PROPOSED)


@dataclass
class FakeAccount:
    """Stands for `OpenAccount`."""

    id: str
    world: FakeAccounts

    def regions(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the regions to scan."""
        return tuple(wanted) or ("eu-west-1", REGION)

    def scan(self, region: str, options: BulkOptions, stop: Event, on_progress: Callable[[Progress], None]) -> FakeScan:
        """Return a scan."""
        self.world.scanned.append((self.id, region, options))
        scan = FakeScan(self.world.functions.get((self.id, region), ()), self.id, region, options, stop)
        scan.gaps, scan.error = self.world.gaps, self.world.errors.get((self.id, region))
        scan.on_progress, scan.after_each = on_progress, self.world.after_each
        return scan

    def planner(self, _region: str, _config: GuardConfig) -> FakePlanner:
        """Return what plans fixes."""
        return FakePlanner()

    def access(self, _region: str, actions: Sequence[str]) -> tuple[Access, ...]:
        """Return the decisions."""
        return tuple(self.world.access.get(one, Access(one, Decision.ALLOWED)) for one in sorted(actions))


@dataclass
class FakeAccounts:
    """Stands for AWS: accounts with functions, and what goes wrong in them."""

    functions: dict[tuple[str, str], Sequence[FakeFunction]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    errors: dict[tuple[str, str], Exception] = field(default_factory=dict)
    no_role: frozenset[str] = frozenset()
    members: tuple[str, ...] = (ACCOUNT,)
    problem: Exception | None = None
    region: str = REGION
    access: dict[str, Access] = field(default_factory=dict)
    scanned: list[tuple[str, str, BulkOptions]] = field(default_factory=list)
    after_each: Callable[[], None] = lambda: None

    @classmethod
    def with_functions(cls, *functions: FakeFunction, **more: Any) -> FakeAccounts:
        """Return one account with these functions."""
        return cls({(ACCOUNT, REGION): functions}, **more)

    def scan(self, monkeypatch: pytest.MonkeyPatch, *words: str, columns: int = 80) -> Result:
        """Run `permission-guard scan` in these accounts."""
        monkeypatch.setattr(scan_places, "Caller", self._caller)
        done = CliRunner().invoke(_ONLY, words, env={"COLUMNS": str(columns)})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def document(self, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
        """Run it, and return its JSON output."""
        return json.loads(self.scan(monkeypatch, *words, "--format", "json").stdout)

    def _caller(self, profile: str | None) -> FakeAccounts:
        if profile == "absent":
            raise ConfigurationError("there is no AWS profile 'absent'. The profiles are: default")
        return self

    @property
    def identity(self) -> Identity:
        """Who runs the scan."""
        if self.problem:
            raise self.problem
        return Identity(ACCOUNT, "aws", f"arn:aws:iam::{ACCOUNT}:user/jane")

    def organization(self) -> tuple[str, ...]:
        """Return the active accounts."""
        return self.members

    def account(self, account: str, role_name: str | None) -> FakeAccount:
        """Return an account."""
        if account in self.no_role:
            raise ConfigurationError(f"AWS denied sts:AssumeRole on arn:aws:iam::{account}:role/{role_name}")
        return FakeAccount(account, self)
