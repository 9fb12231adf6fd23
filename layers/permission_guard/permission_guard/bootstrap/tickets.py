"""The composition root of the ticket systems."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from permission_guard.aws.clients import client, prompt_client
from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.finding_reader import FindingReader
from permission_guard.aws.tables.maintenance import DigestReader
from permission_guard.aws.tables.waiting_for_tickets import WaitingForTicketsTable
from permission_guard.bootstrap.configuration import latest
from permission_guard.bootstrap.named_tickets import named_systems, outside_aws
from permission_guard.bootstrap.patience import patience
from permission_guard.config.settings import TicketSettings
from permission_guard.delivery.patience import PatientSession, PatientTickets
from permission_guard.delivery.tickets.review import review_finding
from permission_guard.delivery.tickets.routed import NamedSystem, RoutedTickets
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

    MakeSystem = Callable[[TicketSettings, Callable[[Any], Any]], TicketSystem]


def _ops_items(_settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.ops_item.system import OpsItems  # noqa: PLC0415 - loads botocore, which only users of it need

    return PatientTickets(OpsItems(client("ssm")), patience())


def _outside_aws(settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    make, names = outside_aws(settings.ticket_system)
    credentials = _credentials(settings, client, names)
    return make(settings.ticket_url, credentials, _session(), name=settings.ticket_system)


def _security_hub(_settings: TicketSettings, client: Callable[[Any], Any]) -> TicketSystem:
    from permission_guard.delivery.tickets.security_hub.system import SecurityHubFindings  # noqa: PLC0415 - as above

    return PatientTickets(SecurityHubFindings(client("securityhub")), patience())


def _credentials(settings: TicketSettings, client: Callable[[Any], Any], names: Sequence[str]) -> Credentials:
    from permission_guard.aws.readers.secrets import CredentialsSecret  # noqa: PLC0415 - as above

    if not settings.ticket_secret_arn:
        raise ConfigurationError(f"TicketSystem={settings.ticket_system} needs TicketSecretArn")
    return CredentialsSecret(client("secretsmanager"), settings.ticket_secret_arn, names)


def _session() -> HttpSession:
    from permission_guard.delivery.http.httpx_session import HttpxSession  # noqa: PLC0415 - as above

    return PatientSession(HttpxSession(), patience())


TICKET_SYSTEMS: Mapping[str, MakeSystem | None] = {
    "none": None,
    "opsitem": _ops_items,
    "github": _outside_aws,
    "jira": _outside_aws,
    "securityhub": _security_hub,
    "servicenow": _outside_aws,
}
"""Every value of the TicketSystem parameter: a function that creates the system, None for no tickets."""

UNLIMITED = frozenset({"securityhub"})
"""The systems without a limit of new tickets: Security Hub is no list of work, and gets every ticket."""


def ticket_updater(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[[BusEvent], Sequence[DeliveryResult]] | None:
    """Return what updates the tickets of the finding that an event names, None for no tickets.

    ConfigurationError for an invalid setting.
    """
    settings = TicketSettings.from_environment(environment)
    tickets = _tickets(settings, config)
    return partial(deliver_event, findings=_findings(settings), send=tickets.update) if tickets else None


def ticket_reviewer(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[[TicketReview], Sequence[DeliveryResult]] | None:
    """Return what reads the tickets of the finding that a request names, None for no tickets.

    ConfigurationError for an invalid setting.
    """
    settings = TicketSettings.from_environment(environment)
    tickets = _tickets(settings, config)
    return partial(review_finding, findings=_findings(settings), review=tickets.review) if tickets else None


def summary_writer(
    environment: Mapping[str, str], config: GuardConfig
) -> Callable[..., Sequence[DeliveryResult]] | None:
    """Return what writes the summaries of the findings without a ticket, None for no tickets. It takes `is_review`.

    ConfigurationError for an invalid setting.
    """
    tickets = _tickets(TicketSettings.from_environment(environment), config)
    return tickets.summarize if tickets else None


def _findings(settings: TicketSettings) -> FindingReader:
    return FindingReader(client("dynamodb"), settings.findings_table)


@latest
def _tickets(settings: TicketSettings, config: GuardConfig) -> RoutedTickets | None:
    systems = systems_for(settings, config, prompt_client)
    if not systems:
        return None
    dynamodb = client("dynamodb")
    store, queue = (
        WaitingForTicketsTable(dynamodb, settings.deliveries_table),
        EventQueue(client("sqs"), settings.ticket_queue_url),
    )
    return RoutedTickets(
        systems=systems,
        default=settings.own_systems,
        routes=config.routes,
        ledger=DeliveryTable(dynamodb, settings.deliveries_table),
        min_severity=config.tickets.min_severity,
        baseline=DigestReader(dynamodb, settings.findings_table).baseline,
        store=store,
        waiting={
            one.name: WaitingList(store, one.channel, config.tickets.limit, queue.request_summary)
            for one in systems
            if one.name not in UNLIMITED
        },
    )


def systems_for(settings: TicketSettings, config: GuardConfig, client: Callable[[Any], Any]) -> list[NamedSystem]:
    """Return the ticket systems of a deployment: its own, and those that the configuration names. None is made yet.

    ConfigurationError for an unknown value of the parameter `TicketSystem`.
    """
    makers = [(name, _maker(name)) for name in settings.own_systems]
    own = [NamedSystem(name, cache(partial(make, settings, client))) for name, make in makers if make]
    return [*own, *named_systems(config.tickets.systems, client, _session)]


def _maker(name: str) -> MakeSystem | None:
    if name not in TICKET_SYSTEMS:
        raise ConfigurationError(f"TicketSystem is {name!r}; it can be {', '.join(TICKET_SYSTEMS)}")
    return TICKET_SYSTEMS[name]
