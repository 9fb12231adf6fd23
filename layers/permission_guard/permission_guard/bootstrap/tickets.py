"""The composition root of the ticket systems."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from permission_guard.aws.clients import client
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.maintenance import DigestReader
from permission_guard.bootstrap.configuration import latest
from permission_guard.config.settings import TicketSettings
from permission_guard.delivery.tickets.base import update_ticket
from permission_guard.delivery.transitions import deliver_event
from permission_guard.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.bus.events import BusEvent
    from permission_guard.config.document import GuardConfig
    from permission_guard.delivery.http.api import Credentials
    from permission_guard.delivery.http.session import HttpSession
    from permission_guard.delivery.ledger import DeliveryResult
    from permission_guard.delivery.tickets.base import TicketSystem


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
    from permission_guard.delivery.http.httpx_session import HttpxSession  # noqa: PLC0415 - as above

    return HttpxSession()


TICKET_SYSTEMS: Mapping[str, Callable[[TicketSettings, Callable[[Any], Any]], TicketSystem | None]] = {
    "none": lambda _settings, _client: None,
    "opsitem": _ops_items,
    "github": _github,
    "jira": _jira,
    "securityhub": _security_hub,
    "servicenow": _servicenow,
}
"""Every value of the TicketSystem parameter: a function that creates the system, or returns None for no tickets."""


def ticket_updater(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[[BusEvent], Sequence[DeliveryResult]] | None:
    """Return what updates the ticket of the finding that an event names, None for no tickets.

    ConfigurationError for an invalid setting.
    """
    return _updater(TicketSettings.from_environment(environment), config)


@latest
def _updater(settings: TicketSettings, config: GuardConfig) -> Callable[[BusEvent], Sequence[DeliveryResult]] | None:
    system = ticket_system(settings, client)
    if system is None:
        return None
    ledger = DeliveryTable(client("dynamodb"), settings.deliveries_table)
    return partial(
        deliver_event,
        findings=FindingReader(client("dynamodb"), settings.findings_table),
        send=partial(
            update_ticket,
            system=system,
            ledger=ledger,
            min_severity=config.tickets.min_severity,
            baseline=DigestReader(client("dynamodb"), settings.findings_table).baseline,
        ),
    )


def ticket_system(settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem | None:
    """Return the ticket system that the settings name, None for `none`. ConfigurationError for invalid ones.

    `client` makes a boto3 client of a service name (`permission_guard.aws.clients.client`).
    """
    make = TICKET_SYSTEMS.get(settings.ticket_system)
    if make is None:
        raise ConfigurationError(f"TicketSystem is {settings.ticket_system!r}; it can be {', '.join(TICKET_SYSTEMS)}")
    return make(settings, client)
