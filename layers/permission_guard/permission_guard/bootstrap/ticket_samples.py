"""The composition root of test tickets: one in each ticket system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.aws.clients import client, prompt_client
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.bootstrap.configuration import configuration_or_reason
from permission_guard.bootstrap.threads import thread_pool
from permission_guard.bootstrap.tickets import systems_for
from permission_guard.config.document import GuardConfig
from permission_guard.config.settings import TicketSettings
from permission_guard.delivery.samples import failed, log_results
from permission_guard.delivery.tickets.samples import open_samples
from permission_guard.model.destinations import Destination, DestinationKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.model.destinations import DestinationResult

_NAMED: Final = Destination(name="guard.yaml", type="configuration", kind=DestinationKind.TICKETS)
"""Stands for the ticket systems of a configuration that cannot be read."""


def ticket_results(
    test: AlertTest, environment: Mapping[str, str], logger: Logger, metrics: Metrics
) -> list[DestinationResult]:
    """Open a test ticket in every system, and close it; return what became of it in each.

    If the configuration cannot be read, the stack's own systems are tried, and one more result says why the others are
    not. ConfigurationError for an invalid setting.
    """
    settings = TicketSettings.from_environment(environment)
    read, problem = configuration_or_reason(environment, logger, metrics)
    config = read or GuardConfig()
    systems = [(_destination(one.name, settings, config), one) for one in systems_for(settings, config, prompt_client)]
    results = open_samples(test, systems, DeliveryTable(client("dynamodb"), settings.deliveries_table), thread_pool)
    if read is None:
        results.append(failed(_NAMED, f"the ticket systems that it names were not tried: {problem}"))
    log_results(test, results, logger)
    return results


def _destination(name: str, settings: TicketSettings, config: GuardConfig) -> Destination:
    named = config.tickets.systems.get(name)
    return Destination(
        name=name,
        type=str(named.type) if named else name,
        kind=DestinationKind.TICKETS,
        is_default=name in settings.own_systems,
        routes=tuple(route.id for route in config.routes if name in route.tickets),
    )
