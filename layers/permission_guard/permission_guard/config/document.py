"""The configuration document `guard.yaml` as values. What a key does is described in `keys.py`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.config.settings import FixMode
from permission_guard.model.verdicts import Severity
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from permission_guard.config.destinations import Channel, NamedTicketSystem, Route


class Baseline(StrEnum):
    """How the findings that exist at the first sweep are sent: together in one digest, or an alert each."""

    DIGEST = "digest"
    ALERT_EACH = "alert-each"


class Policies(StrEnum):
    """Which policies fixes attach: AWS managed policies, the stack's own where it can have them, or either.

    With `ANY` the stack's own are attached only where AWS's do not suffice.
    """

    AWS = "aws"
    OWN = "own"
    ANY = "any"


@record(kw_only=True)
class Trust:
    """The accounts and organizations that may use the functions, besides the function's own account."""

    accounts: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()


@record(kw_only=True)
class RuleConfig:
    """What is set for one rule. Without a severity the rule decides it; without `fix`, `Fixes.mode` applies."""

    enabled: bool = True
    severity: Severity | None = None
    fix: FixMode | None = None


@record(kw_only=True)
class ExceptionEntry:
    """Findings that are suppressed until a date. A finding must match every key that is given.

    `rules` are ids. `functions`, `roles`, `subject`, `sid` and the values of `tags` are globs with `*` and `?`;
    `functions` also has full ARNs. What is empty matches everything; a document leaves it out.
    """

    id: str
    rules: tuple[str, ...]
    reason: str
    owner: str
    expires: datetime
    functions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    qualifiers: tuple[str, ...] = ()
    subject: str | None = None
    sid: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@record(kw_only=True)
class Exclusion:
    """Functions that are not evaluated at all. A function must match every key that is given."""

    reason: str
    functions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@record(kw_only=True)
class FunctionTags:
    """Whether a function's own tags can suppress its findings, and of which rules: empty means all rules."""

    enabled: bool = False
    rules: tuple[str, ...] = ()


class Period(StrEnum):
    """How often a digest of everything that is open is sent."""

    OFF = "off"
    DAILY = "daily"
    WEEKLY = "weekly"


@record(kw_only=True)
class AlertLimit:
    """How many messages each alert channel gets in which time: in no window of `minutes` more than `messages`."""

    messages: int = 20
    minutes: int = 10


@record(kw_only=True)
class Alerts:
    """Which findings send an alert, how many messages a channel gets, and how often a digest of what is open is sent.

    `digest_hour` is in UTC. A weekly digest is sent on Mondays.
    """

    min_severity: Severity = Severity.LOW
    limit: AlertLimit = field(default_factory=AlertLimit)
    digest: Period = Period.WEEKLY
    digest_hour: int = 7


@record(kw_only=True)
class TicketLimit:
    """How many tickets are opened in a number of hours, in each system."""

    tickets: int = 100
    hours: int = 24


@record(kw_only=True)
class Tickets:
    """Which findings open a ticket, and how many. `systems` are the named systems, besides the stack's own."""

    min_severity: Severity = Severity.LOW
    systems: Mapping[str, NamedTicketSystem] = field(default_factory=dict)
    limit: TicketLimit = field(default_factory=TicketLimit)


class ManagingTool(StrEnum):
    """A tool that manages functions and roles."""

    CLOUDFORMATION = "cloudformation"
    SAM = "sam"
    CDK = "cdk"
    TERRAFORM = "terraform"
    OPENTOFU = "opentofu"
    PULUMI = "pulumi"
    OTHER = "other"


@record(kw_only=True)
class ManagedElsewhere:
    """Functions and roles that a tool manages. They must match every key that is given; all values are globs."""

    tool: ManagingTool
    functions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    callers: tuple[str, ...] = ()


@record(kw_only=True)
class Fixes:
    """What the bot does about findings that it can fix.

    `mode` is that of rules without `fix`; the parameter `FixMode` of the stack is the ceiling. `policies` are those
    that it may attach, for all rules. `simulate` has IAM's policy simulator evaluate the role after a fix.
    `enable_mappings` enables what AWS disabled for what was missing. No source of another account invokes the functions
    that `no_external_sources` names, with globs. `watch_hours` is how long a function is watched after a narrowing.
    """

    mode: FixMode = FixMode.AUTO
    policies: Policies = Policies.ANY
    simulate: bool = False
    enable_mappings: bool = False
    no_external_sources: tuple[str, ...] = ()
    watch_hours: int = 24
    managed_elsewhere: tuple[ManagedElsewhere, ...] = ()


@record(kw_only=True)
class GuardConfig:
    """The whole document. Without arguments it is the default configuration. `rules` has rule ids as keys.

    `channels` are the named alert channels, besides the stack's own. `owners` has the value of a tag that names an
    owner, with the ID of a Slack user or user group.
    """

    version: int = 1
    trust: Trust = field(default_factory=Trust)
    grace_period_seconds: int = 120
    rules: Mapping[str, RuleConfig] = field(default_factory=dict)
    exceptions: tuple[ExceptionEntry, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    function_tags: FunctionTags = field(default_factory=FunctionTags)
    alerts: Alerts = field(default_factory=Alerts)
    tickets: Tickets = field(default_factory=Tickets)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    fixes: Fixes = field(default_factory=Fixes)
    baseline: Baseline = Baseline.DIGEST
