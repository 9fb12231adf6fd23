"""The composition root of the function that takes decisions about fixes, and stops and resumes all fixing."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.tables.decisions import DecisionTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.stops import StopTable
from permission_guard.bootstrap.callers import proven_caller
from permission_guard.bootstrap.configuration import logged_configuration
from permission_guard.clock import utc_now
from permission_guard.config.settings import ConfigurationSettings, DecideSettings
from permission_guard.errors import ConfigurationUnavailableError, RequestRefusedError
from permission_guard.fixes.decisions import Decision, DecisionRequest, decide
from permission_guard.fixes.stop_requests import StopAnswer, StopRequest, StopRequestKind, set_switch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.config.document import GuardConfig
    from permission_guard.model.targets import JSON


def decider(
    environment: Mapping[str, str], logger: Logger, metrics: Metrics
) -> Callable[[JSON, str], Decision | StopAnswer]:
    """Return what records the decision of a request, or stops or resumes all fixing.

    It takes the request and the ARN of the function that received it. ConfigurationError if a setting is missing or
    invalid.
    """
    configuration = ConfigurationSettings.from_environment(environment)
    config = partial(logged_configuration, configuration, logger, metrics)
    return partial(_decide, DecideSettings.from_environment(environment), config)


def _decide(
    settings: DecideSettings, config: Callable[[], GuardConfig], document: JSON, audience: str
) -> Decision | StopAnswer:
    now = utc_now()
    if isinstance(document, dict) and document.get("kind") in tuple(StopRequestKind):
        stop = StopRequest.from_document(document)
        caller = proven_caller(stop, document, audience, now)
        return set_switch(stop, caller=caller, audience=audience, store=_stops(settings), now=now)
    request = DecisionRequest.from_document(document)
    caller = proven_caller(request, document, audience, now)
    findings, decisions = _tables(settings)
    try:
        current = config()
    except ConfigurationUnavailableError as error:
        # Without it nobody knows whether the rule takes approvals: one that is recorded must not be without effect.
        reason = "the stack's configuration cannot be read: run the command again in a minute"
        raise RequestRefusedError(reason) from error
    return decide(
        request,
        caller=caller,
        mode=settings.mode,
        config=current,
        findings=findings,
        decisions=decisions,
        stop=_stops(settings),
        now=now,
    )


@cache
def _tables(settings: DecideSettings) -> tuple[FindingsTable, DecisionTable]:
    findings = FindingsTable(client("dynamodb"), settings.findings_table)
    return findings, DecisionTable(client("dynamodb"), settings.decisions_table, findings)


@cache
def _stops(settings: DecideSettings) -> StopTable:
    return StopTable(client("dynamodb"), settings.decisions_table)
