"""The composition root of the function that takes requests of people about findings."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final

from permission_guard.aws.clients import client, patient_client
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.senders.function_calls import FunctionCalls
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.bootstrap.callers import proven_caller
from permission_guard.bootstrap.threads import thread_pool
from permission_guard.bus.alert_tests import alert_test_event
from permission_guard.clock import utc_now
from permission_guard.config.settings import ManageSettings
from permission_guard.errors import DeliveryError, MalformedEventError
from permission_guard.findings.requests import FindingRequest, manage
from permission_guard.model.destinations import (
    Destination,
    DestinationKind,
    DestinationResult,
    Outcome,
    read_results,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.findings.requests import Managed
    from permission_guard.model.targets import JSON, FunctionTarget

_ANSWER_SECONDS: Final = 63
"""How long to wait for a sender: it has 60 seconds, and its start takes some more."""


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
        send_test=partial(_send_test, settings),
        now=now,
    )


def _request_checks(settings: ManageSettings, target: FunctionTarget) -> None:
    """Request a full check of a function in both directions."""
    for url in settings.check_queue_urls:
        CheckQueue(client("sqs"), url).request_full([target])


def _send_test(settings: ManageSettings, test: AlertTest) -> list[DestinationResult]:
    """Have both senders try their destinations at the same time; return what became of it at each."""
    senders = [
        (Destination(name="send_alert", type="function", kind=DestinationKind.ALERTS), settings.send_alert_function),
        (Destination(name="open_ticket", type="function", kind=DestinationKind.TICKETS), settings.open_ticket_function),
    ]
    used = [(sender, function) for sender, function in senders if function]
    calls, event = FunctionCalls(patient_client("lambda", _ANSWER_SECONDS)), alert_test_event(test)

    def answers(sender: tuple[Destination, str]) -> list[DestinationResult]:
        try:
            return read_results(calls.answer(sender[1], event))
        except (DeliveryError, MalformedEventError) as error:
            reason = f"{sender[0].name} did not answer: {error}"
            return [DestinationResult(destination=sender[0], outcome=Outcome.FAILED, reason=reason)]

    with thread_pool(len(used)) as threads:
        return [result for results in threads.map(answers, used) for result in results]


@cache
def _table(name: str) -> FindingsTable:
    return FindingsTable(client("dynamodb"), name)
