"""The composition root of the ticket systems."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from permission_guard.aws.clients import client
from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.maintenance import DigestReader
from permission_guard.aws.tables.waiting_findings import WaitingTable
from permission_guard.bootstrap.configuration import latest
from permission_guard.config.settings import TicketSettings
from permission_guard.delivery.tickets.base import admit_all, channel_of, update_ticket
from permission_guard.delivery.tickets.review import review_finding, review_ticket
from permission_guard.delivery.tickets.summaries import update_summaries
from permission_guard.delivery.tickets.waiting_list import WaitingList
from permission_guard.delivery.transitions import deliver_event
from permission_guard.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.bus.events import BusEvent
    from permission_guard.bus.ticket_reviews import TicketReview
    from permission_guard.config.document import GuardConfig
    from permission_guard.delivery.http.api import Credentials
    from permission_guard.delivery.http.session import HttpSession
    from permission_guard.delivery.ledger import DeliveryResult
    from permission_guard.delivery.tickets.base import TicketSystem
    from permission_guard.delivery.transitions import Current
    from permission_guard.model.findings import Finding


def _ops_items(_settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.ops_item.system import OpsItems  # noqa: PLC0415 - loads botocore, which only users of it need

    return OpsItems(client("ssm"))


def _github(settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.github.system import CREDENTIALS, GitHubIssues  # noqa: PLC0415 - as above

    return GitHubIssues(settings.ticket_url, _credentials(settings, client, CREDENTIALS), _session())


def _jira(settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.jira.system import CREDENTIALS, JiraIssues  # noqa: PLC0415 - as above

    return JiraIssues(settings.ticket_url, _credentials(settings, client, CREDENTIALS), _session())


def _security_hub(_settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.security_hub.system import SecurityHubFindings  # noqa: PLC0415 - as above

    return SecurityHubFindings(client("securityhub"))


def _servicenow(settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.servicenow.system import CREDENTIALS, ServiceNowIncidents  # noqa: PLC0415 - as above

    return ServiceNowIncidents(settings.ticket_url, _credentials(settings, client, CREDENTIALS), _session())


def _credentials(settings: TicketSettings, client: Callable[[Any], Any], names: Sequence[str]) -> Credentials:
    from permission_guard.aws.readers.secrets import CredentialsSecret  # noqa: PLC0415 - as above

    if not settings.ticket_secret_arn:
        raise ConfigurationError(f"TicketSystem={settings.ticket_system} needs TicketSecretArn")
    return CredentialsSecret(client("secretsmanager"), settings.ticket_secret_arn, names)


def _session() -> HttpSession:
    from permission_guard.delivery.http.urllib3_session import Urllib3Session  # noqa: PLC0415 - as above

    return Urllib3Session()


TICKET_SYSTEMS: Mapping[str, Callable[[TicketSettings, Callable[[Any], Any]], TicketSystem | None]] = {
    "none": lambda _settings, _client: None,
    "opsitem": _ops_items,
    "github": _github,
    "jira": _jira,
    "securityhub": _security_hub,
    "servicenow": _servicenow,
}
"""Every value of the TicketSystem parameter: a function that creates the system, or returns None for no tickets."""

UNLIMITED = frozenset({"securityhub"})
"""The systems without a limit of new tickets."""


def ticket_updater(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[[BusEvent], Sequence[DeliveryResult]] | None:
    """Return what updates the ticket of the finding that an event names, None for no tickets.

    ConfigurationError for an invalid setting.
    """
    tickets = _tickets(TicketSettings.from_environment(environment), config)
    return partial(deliver_event, findings=tickets.findings, send=tickets.update) if tickets else None


def ticket_reviewer(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[[TicketReview], Sequence[DeliveryResult]] | None:
    """Return what reads the ticket of the finding that a request names, None for no tickets.

    ConfigurationError for an invalid setting.
    """
    tickets = _tickets(TicketSettings.from_environment(environment), config)
    return partial(review_finding, findings=tickets.findings, review=tickets.review) if tickets else None


def summary_writer(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[..., Sequence[DeliveryResult]] | None:
    """Return what writes the summary of the findings without a ticket, None for no tickets. It takes `is_review`.

    ConfigurationError for an invalid setting.
    """
    tickets = _tickets(TicketSettings.from_environment(environment), config)
    return tickets.summarize if tickets else None


class _Tickets:
    """The tickets of a deployment. Security Hub gets every finding: it is no list of work."""

    def __init__(self, settings: TicketSettings, config: GuardConfig, system: TicketSystem) -> None:
        self.findings = FindingReader(client("dynamodb"), settings.findings_table)
        self._system = system
        self._ledger = DeliveryTable(client("dynamodb"), settings.deliveries_table)
        self._min_severity = config.tickets.min_severity
        self._baseline = DigestReader(client("dynamodb"), settings.findings_table).baseline
        self._store = WaitingTable(client("dynamodb"), settings.deliveries_table)
        queue = EventQueue(client("sqs"), settings.ticket_queue_url)
        self._waiting = (
            None
            if system.name in UNLIMITED
            else WaitingList(self._store, channel_of(system), config.tickets.limit, queue.request_summary)
        )

    def update(self, finding: Finding, current: Current) -> Sequence[DeliveryResult]:
        """Write a finding into its ticket."""
        return update_ticket(
            finding,
            current,
            self._system,
            self._ledger,
            min_severity=self._min_severity,
            baseline=self._baseline,
            waiting=self._waiting,
        )

    def summarize(self, *, is_review: bool) -> Sequence[DeliveryResult]:
        """Write the summary of the findings without a ticket."""
        systems = [self._system] if self._waiting else []
        return update_summaries(systems, self._store, self._ledger, is_review=is_review)

    def review(self, finding: Finding, current: Current) -> Sequence[DeliveryResult]:
        """Read the ticket of a finding, and correct it."""
        return (
            review_ticket(
                finding,
                self._system,
                self._ledger,
                lambda: self.update(finding, current)[0],
                admit=self._waiting.admit if self._waiting else admit_all,
            ),
        )


@latest
def _tickets(settings: TicketSettings, config: GuardConfig) -> _Tickets | None:
    system = ticket_system(settings, client)
    return None if system is None else _Tickets(settings, config, system)


def ticket_system(settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem | None:
    """Return the ticket system that the settings name, None for `none`. ConfigurationError for invalid ones.

    `client` makes a boto3 client of a service name (`permission_guard.aws.clients.client`).
    """
    make = TICKET_SYSTEMS.get(settings.ticket_system)
    if make is None:
        raise ConfigurationError(f"TicketSystem is {settings.ticket_system!r}; it can be {', '.join(TICKET_SYSTEMS)}")
    return make(settings, client)
