"""The composition root of the maintenance function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.readers.dead_letters import DeadLetters
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.metrics import Metrics as MetricReader
from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.maintenance import MaintenanceTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.bootstrap.commands import list_command
from permission_guard.bootstrap.configuration import logged_configuration
from permission_guard.clock import utc_now
from permission_guard.config.settings import ConfigurationSettings, MaintenanceSettings
from permission_guard.maintenance.maintainer import Maintainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics


def maintainer(
    environment: Mapping[str, str], account: str, region: str, logger: Logger, metrics: Metrics
) -> Maintainer:
    """Return what maintains the findings of an account and region. ConfigurationError if a setting is missing."""
    settings = MaintenanceSettings.from_environment(environment)
    configuration = ConfigurationSettings.from_environment(environment)
    dynamodb, table = client("dynamodb"), settings.findings_table
    return Maintainer(
        FindingsTable(dynamodb, table),
        MaintenanceTable(dynamodb, table),
        RoleIndex(dynamodb, table, FunctionReader(client("lambda"))),
        EventQueue(client("sqs"), settings.alert_queue_url),
        MetricReader(client("cloudwatch")),
        waiting=WaitingForDigestsTable(dynamodb, settings.deliveries_table),
        dead_letters=DeadLetters(client("sqs"), settings.dead_letter_queue_urls),
        config=partial(logged_configuration, configuration, logger, metrics),
        clock=utc_now,
        account=account,
        region=region,
        command=list_command(settings.stack_name, region),
        tickets=EventQueue(client("sqs"), settings.ticket_queue_url) if settings.ticket_queue_url else None,
    )
