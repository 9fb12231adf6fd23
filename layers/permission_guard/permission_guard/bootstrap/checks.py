"""The composition root of the checkers: puts their parts together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from permission_guard.aws.clients import TIME_LIMIT, client
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.roles import AwsManagedPolicies, RoleReader
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.bootstrap.configuration import latest
from permission_guard.bootstrap.snapshots import state_reader
from permission_guard.checks.batch import CheckBatch
from permission_guard.checks.checker import Checker
from permission_guard.clock import utc_now
from permission_guard.config.settings import CheckSettings
from permission_guard.rules.configured import configured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.config.document import GuardConfig
    from permission_guard.model.targets import Direction
    from permission_guard.rules import Rule

Rules = tuple[type["Rule"], ...]
"""Rule classes. Each is created with the trusted accounts and organizations."""


def check_batch(
    direction: Direction,
    rules: Rules,
    environment: Mapping[str, str],
    config: GuardConfig,
    *,
    logger: Logger,
    metrics: Metrics,
) -> CheckBatch:
    """Return what processes the batches of a checker's queue. ConfigurationError if a setting is missing.

    `rules` are those of the direction. Each function imports only its own, because imports delay a cold start.
    """
    return _check_batch(
        direction, rules, CheckSettings.from_environment(environment), config, logger=logger, metrics=metrics
    )


@latest
def _check_batch(
    direction: Direction,
    rules: Rules,
    settings: CheckSettings,
    config: GuardConfig,
    *,
    logger: Logger,
    metrics: Metrics,
) -> CheckBatch:
    functions = FunctionReader(client("lambda"))
    roles = RoleReader(client("iam"), _aws_managed_policies())
    index = RoleIndex(client("dynamodb"), settings.findings_table, functions)
    checker = Checker(
        direction,
        configured(rules, config),
        state_reader(functions, roles),
        FindingsTable(client("dynamodb"), settings.findings_table),
        utc_now,
        users=index,
        config=config,
        grace_period=config.grace_period_seconds > 0,
    )
    return CheckBatch(
        direction,
        checker,
        index,
        roles,
        CheckQueue(client("sqs"), settings.check_queue_url, config.grace_period_seconds),
        time_limit=TIME_LIMIT,
        logger=logger,
        metrics=metrics,
    )


@cache
def _aws_managed_policies() -> AwsManagedPolicies:
    """Return the AWS managed policies that an execution environment caches."""
    return AwsManagedPolicies()
