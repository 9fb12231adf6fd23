"""Settings: the environment variables that `template.yaml` sets for each function."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Self, TypeVar

from permission_guard.errors import ConfigurationError
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping


Choice = TypeVar("Choice", bound=StrEnum)


class FixMode(StrEnum):
    """What the fixer does with a finding: nothing, propose the fix, fix after approval, or fix automatically.

    Each mode allows more than the one before it.
    """

    OFF = "off"
    PLAN = "plan"
    APPROVE = "approve"
    AUTO = "auto"

    @property
    def takes_approvals(self) -> bool:
        """Whether a person can approve a fix in this mode."""
        return self in (FixMode.APPROVE, FixMode.AUTO)

    def allows_more_than(self, other: FixMode) -> bool:
        """Return whether this mode allows more than another one."""
        modes = list(FixMode)
        return modes.index(self) > modes.index(other)


class AutoFix(StrEnum):
    """What the mode `auto` fixes without an approval: what was lost, or also what a role never had."""

    RESTORE = "restore"
    GRANT = "grant"


@record
class ConfigurationSettings:
    """Where AppConfig has the configuration document: the ids of the application, environment and profile."""

    application: str
    environment: str
    profile: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            application=_required(environment, "CONFIGURATION_APPLICATION"),
            environment=_required(environment, "CONFIGURATION_ENVIRONMENT"),
            profile=_required(environment, "CONFIGURATION_PROFILE"),
        )


@record
class ValidationSettings:
    """What is deployed, for the function that validates configuration documents.

    `has_slack` is whether the stack itself sends to Slack. The others are the ARNs that the senders may use.
    """

    ticket_system: str
    imports_to_security_hub: bool = False
    has_slack: bool = False
    channel_secrets: tuple[str, ...] = ()
    channel_topics: tuple[str, ...] = ()
    ticket_secrets: tuple[str, ...] = ()

    @property
    def own_ticket_systems(self) -> tuple[str, ...]:
        """The names of the stack's own ticket systems."""
        return _own_ticket_systems(self.ticket_system, imports_to_security_hub=self.imports_to_security_hub)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            ticket_system=_required(environment, "TICKET_SYSTEM"),
            imports_to_security_hub=environment.get("IMPORT_TO_SECURITY_HUB") == "true",
            has_slack=bool(environment.get("SLACK_SECRET_ARN")),
            channel_secrets=_listed(environment, "CHANNEL_SECRET_ARNS"),
            channel_topics=_listed(environment, "CHANNEL_TOPIC_ARNS"),
            ticket_secrets=_listed(environment, "TICKET_SECRET_ARNS"),
        )


@record
class CheckSettings:
    """The settings of the checker functions.

    `check_queue_url` is their own queue, for requests to check a function again.
    """

    findings_table: str
    check_queue_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing or invalid."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            check_queue_url=_required(environment, "CHECK_QUEUE_URL"),
        )


@record
class SweepSettings:
    """The settings of the sweep function. `queue_urls` are its own queues, one for each checker.

    The other queues are those of the functions behind the bus; None for a function that is not enabled.
    """

    findings_table: str
    queue_urls: tuple[str, str]
    alert_queue_url: str
    ticket_queue_url: str | None
    fix_queue_url: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            queue_urls=(
                _required(environment, "INVOKE_POLICY_QUEUE_URL"),
                _required(environment, "EXECUTION_ROLE_QUEUE_URL"),
            ),
            alert_queue_url=_required(environment, "ALERT_QUEUE_URL"),
            ticket_queue_url=environment.get("TICKET_QUEUE_URL") or None,
            fix_queue_url=environment.get("FIX_QUEUE_URL") or None,
        )


@record
class MaintenanceSettings:
    """The settings of the maintenance function. `stack_name` is for the commands that its digests show.

    `ticket_queue_url` is None if no tickets are opened. `dead_letter_queue_urls` are all of the stack.
    """

    findings_table: str
    deliveries_table: str
    alert_queue_url: str
    stack_name: str
    ticket_queue_url: str | None = None
    dead_letter_queue_urls: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            deliveries_table=_required(environment, "DELIVERIES_TABLE"),
            alert_queue_url=_required(environment, "ALERT_QUEUE_URL"),
            stack_name=_required(environment, "STACK_NAME"),
            ticket_queue_url=environment.get("TICKET_QUEUE_URL") or None,
            dead_letter_queue_urls=tuple(filter(None, environment.get("DEAD_LETTER_QUEUE_URLS", "").split(","))),
        )


@record
class PublishSettings:
    """The settings of the function that publishes findings."""

    event_bus: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(event_bus=_required(environment, "EVENT_BUS"))


@record
class AlertSettings:
    """The settings of the function that sends alerts. Both channels are optional.

    `stack_name` is for the commands that its digests show.
    """

    findings_table: str
    deliveries_table: str
    topic_arn: str | None
    slack_secret_arn: str | None
    slack_webhook_prefix: str
    stack_name: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            deliveries_table=_required(environment, "DELIVERIES_TABLE"),
            topic_arn=environment.get("TOPIC_ARN") or None,
            slack_secret_arn=environment.get("SLACK_SECRET_ARN") or None,
            slack_webhook_prefix=environment.get("SLACK_WEBHOOK_PREFIX") or "https://hooks.slack.com/",
            stack_name=_required(environment, "STACK_NAME"),
        )


@record
class TicketSettings:
    """The settings of the function that opens tickets.

    `ticket_queue_url` is the function's own queue. `ticket_url` is where tickets are opened, and
    `ticket_secret_arn` the secret with the credentials; each is empty for a system of AWS. `imports_to_security_hub` is
    whether findings are imported into Security Hub besides.
    """

    findings_table: str
    deliveries_table: str
    ticket_system: str
    ticket_queue_url: str = ""
    ticket_url: str = ""
    ticket_secret_arn: str = ""
    imports_to_security_hub: bool = False

    @property
    def own_systems(self) -> tuple[str, ...]:
        """The names of the stack's own ticket systems, which get the tickets of all findings by default."""
        return _own_ticket_systems(self.ticket_system, imports_to_security_hub=self.imports_to_security_hub)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            deliveries_table=_required(environment, "DELIVERIES_TABLE"),
            ticket_system=_required(environment, "TICKET_SYSTEM"),
            ticket_queue_url=_required(environment, "TICKET_QUEUE_URL"),
            ticket_url=environment.get("TICKET_URL", ""),
            ticket_secret_arn=environment.get("TICKET_SECRET_ARN", ""),
            imports_to_security_hub=environment.get("IMPORT_TO_SECURITY_HUB") == "true",
        )


@record
class FixSettings:
    """The settings of the fix function. `max_fixes_an_hour` applies to the whole account and region.

    `decide_fix_arn` is the ARN of the function that takes decisions about proposals. `owned_policies` are the ARNs of
    the stack's own policies that fixes may attach. `replaces_policies` is whether fixes may replace a whole
    resource-based policy. `invoke_events_log_group` is the ARN of the log group to which a trail delivers the data
    events of functions, empty for none.
    """

    findings_table: str
    decisions_table: str
    mode: FixMode
    auto_fix: AutoFix
    max_fixes_an_hour: int
    decide_fix_arn: str
    owned_policies: tuple[str, ...] = ()
    replaces_policies: bool = False
    invoke_events_log_group: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing or invalid."""
        limit = environment.get("MAX_FIXES_AN_HOUR", "20")
        if not re.fullmatch(r"[1-9]\d{0,3}", limit):
            raise ConfigurationError(f"MAX_FIXES_AN_HOUR is {limit!r:.50}; it must be a number from 1 to 9999")
        log_group = environment.get("INVOKE_EVENTS_LOG_GROUP_ARN", "")
        if log_group and not re.fullmatch(r"arn:[a-z-]+:logs:[a-z0-9-]+:\d{12}:log-group:[^:*]+", log_group):
            raise ConfigurationError(f"INVOKE_EVENTS_LOG_GROUP_ARN is {log_group!r:.200}, not the ARN of a log group")
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            decisions_table=_required(environment, "DECISIONS_TABLE"),
            mode=_one_of(FixMode, "FIX_MODE", _required(environment, "FIX_MODE")),
            auto_fix=_one_of(AutoFix, "AUTO_FIX", environment.get("AUTO_FIX") or AutoFix.RESTORE),
            max_fixes_an_hour=int(limit),
            decide_fix_arn=_required(environment, "DECIDE_FIX_ARN"),
            owned_policies=_listed(environment, "OWNED_POLICY_ARNS"),
            replaces_policies=environment.get("ATOMIC_NARROWING", "") == "true",
            invoke_events_log_group=log_group,
        )


@record
class DecideSettings:
    """The settings of the function that takes decisions about proposed fixes."""

    findings_table: str
    decisions_table: str
    mode: FixMode

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing or invalid."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            decisions_table=_required(environment, "DECISIONS_TABLE"),
            mode=_one_of(FixMode, "FIX_MODE", _required(environment, "FIX_MODE")),
        )


@record
class ManageSettings:
    """The settings of the function that takes requests about findings.

    `check_queue_urls` are the queues of the checkers, one for each. The others are the names of the functions that send
    test messages and open test tickets; `open_ticket_function` is None if no tickets are opened.
    """

    findings_table: str
    check_queue_urls: tuple[str, str]
    send_alert_function: str
    open_ticket_function: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. ConfigurationError names a variable that is missing."""
        return cls(
            findings_table=_required(environment, "FINDINGS_TABLE"),
            check_queue_urls=(
                _required(environment, "INVOKE_POLICY_QUEUE_URL"),
                _required(environment, "EXECUTION_ROLE_QUEUE_URL"),
            ),
            send_alert_function=_required(environment, "SEND_ALERT_FUNCTION"),
            open_ticket_function=environment.get("OPEN_TICKET_FUNCTION") or None,
        )


def _own_ticket_systems(ticket_system: str, *, imports_to_security_hub: bool) -> tuple[str, ...]:
    chosen = () if ticket_system == "none" else (ticket_system,)
    return tuple(dict.fromkeys((*chosen, "securityhub") if imports_to_security_hub else chosen))


def _one_of(choices: type[Choice], name: str, value: str) -> Choice:
    if value not in list(choices):
        raise ConfigurationError(f"{name} is {value!r:.50}; it must be one of {', '.join(choices)}")
    return choices(value)


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, environment.get(name, "").split(",")))


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"the environment variable {name} is not set; template.yaml sets it")
    return value
