"""The composition root of the sweep function."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final

from permission_guard.aws.clients import client
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.maintenance import MaintenanceTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.bootstrap.configuration import deployed_configuration
from permission_guard.clock import utc_now
from permission_guard.config.settings import ConfigurationSettings, SweepSettings
from permission_guard.delivery.alerts.base import ALERTED
from permission_guard.model.findings import Transition
from permission_guard.sweep.first import is_baseline
from permission_guard.sweep.sweep import Receiver, Sweeper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIXED: Final = frozenset(
    {
        Transition.OPENED,
        Transition.REOPENED,
        Transition.FIX_PROPOSED,
        Transition.FIX_APPROVED,
        Transition.FIX_UNDO_REQUESTED,
    },
)
"""The transitions that `apply_fix` acts on, as the rule `FixEvents` in template.yaml has them."""


def sweeper(environment: Mapping[str, str]) -> Sweeper:
    """Return what sweeps the account and region. ConfigurationError if a setting is missing."""
    return _sweeper(SweepSettings.from_environment(environment), ConfigurationSettings.from_environment(environment))


@cache
def _sweeper(settings: SweepSettings, configuration: ConfigurationSettings) -> Sweeper:
    dynamodb, table = client("dynamodb"), settings.findings_table
    index = RoleIndex(dynamodb, table, FunctionReader(client("lambda")))
    return Sweeper(
        index,
        FindingsTable(dynamodb, table),
        [CheckQueue(client("sqs"), url).request_full for url in settings.queue_urls],
        list(_receivers(settings)),
        SweepCursor(dynamodb, table),
        is_baseline=partial(
            is_baseline,
            MaintenanceTable(dynamodb, table),
            lambda: index.is_complete,
            lambda: deployed_configuration(configuration).config,
            utc_now,
        ),
    )


def _receivers(settings: SweepSettings) -> Iterator[Receiver]:
    """Yield the functions behind the bus that are enabled.

    A ticket is opened for an open finding, whatever happened to it last: the status decides, not the transition.
    """
    for name, url, transitions in (
        ("send_alert", settings.alert_queue_url, ALERTED),
        ("open_ticket", settings.ticket_queue_url, frozenset(Transition)),
        ("apply_fix", settings.fix_queue_url, FIXED),
    ):
        if url is not None:
            yield Receiver(name, transitions, EventQueue(client("sqs"), url).send_findings)
