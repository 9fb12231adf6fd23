"""Evaluate all functions of one account and region in bulk: the parts are read by lists, each function as it arrives.

Pure: what reads is given. `bootstrap/scan.py` puts it together for boto3.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.config.document import GuardConfig
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.state import Snapshot, Unread
    from permission_guard.model.targets import Direction
    from permission_guard.rules.report import Report

DEFAULT_RATE: Final = 10.0
"""Calls a second to Lambda's control plane besides GetPolicy: a third of the shared limit is left to deployments."""

FULL_RATE: Final = 15.0
"""AWS's limit, which all callers of the account and region share."""


@record(kw_only=True)
class BulkOptions:
    """What to evaluate, and how fast.

    `rules` are the ids of the selected rules, None for all. They decide what is read. `full` reads each function's URLs
    and state too. `functions` are globs of names, or of ARNs if they begin with `arn:`; `tags` are globs by tag key, all
    of which a function must match. `rate` are the calls a second to Lambda's control plane besides GetPolicy, and
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
    workers: int = 24


class GapKind(StrEnum):
    """Why something was not evaluated."""

    NOT_SELECTED = "not evaluated"
    """The options exclude it: the scan is complete."""
    UNREAD = "unknown"
    """It could not be read: a denied call, an error, or out of time. Exit code 3."""
    STOPPED = "stopped"
    """The scan was stopped before its end: incomplete. Exit code 3."""


@record(kw_only=True)
class Gap:
    """What was not read or not evaluated for all functions at once, named here once and not in each report.

    `what` is for sentences: `the triggers of log groups`. `reason` is a sentence, and `remedy` what to do, empty if
    nothing helps. `action` is the IAM action that failed, empty if none did; `is_denied` is true if AWS denied it.
    `rules` are the ids of the rules that it concerns, sorted. `functions` is the number of functions concerned, None for
    all functions or if it is unknown.
    """

    kind: GapKind
    what: str
    reason: str
    remedy: str = ""
    action: str = ""
    is_denied: bool = False
    rules: tuple[str, ...] = ()
    functions: int | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether the scan is incomplete because of it: exit code 3."""
        return self.kind is not GapKind.NOT_SELECTED


@record(kw_only=True)
class CallRate:
    """The calls that one limit counts: how many were made, how many AWS throttled, and the rate now and at most.

    `name` is `lambda:GetPolicy`, `lambda` (all other calls of its control plane), or another service's limit. Rates are
    in calls a second, None without a limit. They are below `limit` while AWS throttles earlier.
    """

    name: str
    calls: int
    throttled: int
    rate: float | None
    limit: float | None


@record(kw_only=True)
class Progress:
    """How far an evaluation is.

    `listed` counts the functions that ListFunctions returned and that the options select, and `is_listed` whether that
    list is complete: then `listed` is the total. `done` counts the evaluated functions, `findings` their violations.
    `waits_for` names what every function waits for, such as `the triggers of log groups`, and is empty otherwise.
    """

    listed: int
    is_listed: bool
    done: int
    findings: int
    rates: tuple[CallRate, ...] = ()
    waits_for: str = ""

    @property
    def seconds_left(self) -> float | None:
        """The estimated time left at the rates of now, in seconds, None if it is unknown."""
        raise NotImplementedError


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
