"""The composition root of the function that takes requests of people about findings."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.senders.event_queue import EventQueue
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.bootstrap.callers import proven_caller
from permission_guard.clock import utc_now
from permission_guard.config.settings import ManageSettings
from permission_guard.findings.requests import FindingRequest, manage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.findings.requests import Managed
    from permission_guard.model.targets import JSON, FunctionTarget


def manager(environment: Mapping[str, str]) -> Callable[[JSON, str], Managed]:
    """Return what does what a request says. ConfigurationError if a setting is missing.

    It takes the request and the ARN of the function that received it.
    """
    return partial(_manage, ManageSettings.from_environment(environment))


def _manage(settings: ManageSettings, document: JSON, audience: str) -> Managed:
    request = FindingRequest.from_document(document)
    now = utc_now()
    return manage(
        request,
        caller=proven_caller(request, document, audience, now),
        audience=audience,
        findings=_table(settings.findings_table),
        request_checks=partial(_request_checks, settings),
        send_test=EventQueue(client("sqs"), settings.alert_queue_url).send_test,
        now=now,
    )


def _request_checks(settings: ManageSettings, target: FunctionTarget) -> None:
    """Request a full check of a function in both directions."""
    for url in settings.check_queue_urls:
        CheckQueue(client("sqs"), url).request_full([target])


@cache
def _table(name: str) -> FindingsTable:
    return FindingsTable(client("dynamodb"), name)
