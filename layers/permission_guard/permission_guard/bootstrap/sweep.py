"""The composition root of the sweep function."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.config.settings import SweepSettings
from permission_guard.sweep.sweep import Sweeper

if TYPE_CHECKING:
    from collections.abc import Mapping


def sweeper(environment: Mapping[str, str]) -> Sweeper:
    """Return what sweeps the account and region. ConfigurationError if a setting is missing."""
    return _sweeper(SweepSettings.from_environment(environment))


@cache
def _sweeper(settings: SweepSettings) -> Sweeper:
    return Sweeper(
        RoleIndex(client("dynamodb"), settings.findings_table, FunctionReader(client("lambda"))),
        FindingsTable(client("dynamodb"), settings.findings_table),
        [CheckQueue(client("sqs"), url).request_full for url in settings.queue_urls],
        EventBus(client("events"), settings.event_bus),
        SweepCursor(client("dynamodb"), settings.findings_table),
    )
