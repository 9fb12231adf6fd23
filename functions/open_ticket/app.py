"""Open, update and resolve the ticket of each finding, and read it when that is requested."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from permission_guard.bootstrap.configuration import with_configuration
from permission_guard.bootstrap.logs import function_logger, function_metrics
from permission_guard.bootstrap.patience import patience
from permission_guard.bootstrap.ticket_samples import ticket_results
from permission_guard.bootstrap.tickets import summary_writer, ticket_reviewer, ticket_updater
from permission_guard.bus.batch import process_batch
from permission_guard.bus.security_hub import IMPORTED_DETAIL_TYPE, SECURITY_HUB_SOURCE, read_imported
from permission_guard.bus.ticket_reviews import (
    REVIEW_DETAIL_TYPE,
    SUMMARY_DETAIL_TYPE,
    read_summary_review,
    read_ticket_review,
)
from permission_guard.delivery.samples import answer_test
from permission_guard.delivery.transitions import log_deliveries, log_results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from permission_guard.bus.events import BusEvent
    from permission_guard.bus.ticket_reviews import TicketReview
    from permission_guard.config.document import GuardConfig

logger = function_logger("open_ticket")
metrics = function_metrics("open_ticket")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Update the tickets for a batch of messages; return the messages to deliver again.

    An event that requests a test is answered with what became of the test ticket in each system.
    """
    patience().begin(context.get_remaining_time_in_millis)
    answer = answer_test(event, lambda test: ticket_results(test, os.environ, logger, metrics), metrics)
    if answer is not None:
        return answer

    def ticket(config: GuardConfig) -> dict[str, Any]:
        others = {
            REVIEW_DETAIL_TYPE: lambda detail: _review(detail, config),
            SUMMARY_DETAIL_TYPE: lambda detail: _summarize(detail, config),
            IMPORTED_DETAIL_TYPE: lambda detail: _read_back(detail, config),
        }
        sources = {IMPORTED_DETAIL_TYPE: SECURITY_HUB_SOURCE}
        return process_batch(
            event,
            lambda one: _ticket(one, config),
            logger,
            metrics,
            others,
            sources=sources,
            has_time=patience().begin_message,
        )

    return with_configuration(event, os.environ, logger, metrics, ticket)


def _ticket(event: BusEvent, config: GuardConfig) -> None:
    update = ticket_updater(os.environ, config)
    if update is not None:
        log_deliveries(event, update(event), logger, metrics)


def _review(detail: Mapping[str, Any], config: GuardConfig) -> None:
    _read_ticket(read_ticket_review(detail), config)


def _read_back(detail: Mapping[str, Any], config: GuardConfig) -> None:
    requested = read_imported(detail, datetime.now(UTC))
    if requested is not None:
        _read_ticket(requested, config)


def _read_ticket(requested: TicketReview, config: GuardConfig) -> None:
    review = ticket_reviewer(os.environ, config)
    if review is not None:
        log_results({"finding_id": requested.finding_id}, review(requested), logger, metrics)


def _summarize(detail: Mapping[str, Any], config: GuardConfig) -> None:
    summarize = summary_writer(os.environ, config)
    if summarize is not None:
        log_results({"summary": True}, summarize(is_review=read_summary_review(detail)), logger, metrics)
