"""The composition root: puts the parts together for the Lambda functions that need several."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.facts import LiveFacts
from permission_guard.aws.findings_table import FindingsTable
from permission_guard.aws.functions import FunctionReader
from permission_guard.aws.inventories import InventoryReader
from permission_guard.aws.look_queue import look_again
from permission_guard.aws.organization import OrganizationReader
from permission_guard.aws.role_writer import RoleWriter
from permission_guard.aws.roles import AwsManagedPolicies, RoleReader
from permission_guard.aws.source_policies import SourcePolicyReader
from permission_guard.aws.state import StateReader
from permission_guard.check_batch import CheckBatch
from permission_guard.checker import Checker
from permission_guard.clock import utc_now
from permission_guard.config import CheckSettings, FixSettings
from permission_guard.fixer import Fixer
from permission_guard.rules import RULES, rules_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics

    from permission_guard.model import Scope


def check_batch(scope: Scope, environment: Mapping[str, str], logger: Logger, metrics: Metrics) -> CheckBatch:
    """Return what works off one batch of a checker's queue; ConfigurationError when a setting is missing."""
    settings = CheckSettings.from_environment(environment)
    functions = FunctionReader(client("lambda"))
    checker = Checker(
        scope,
        rules_for(scope, settings.trust),
        StateReader(
            functions,
            RoleReader(client("iam"), _aws_managed_policies()),
            _source_policies(),
            _inventories(),
            OrganizationReader(lambda: client("organizations")),
        ),
        FindingsTable(client("dynamodb"), settings.findings_table),
        utc_now,
    )
    return CheckBatch(
        scope,
        checker,
        functions,
        lambda target: look_again(client("sqs"), settings.look_queue_url, target),
        logger=logger,
        metrics=metrics,
    )


def fixer(environment: Mapping[str, str]) -> Fixer:
    """Return what puts findings right; ConfigurationError when a setting is missing or wrong."""
    settings = FixSettings.from_environment(environment)
    table = FindingsTable(client("dynamodb"), settings.findings_table)
    return Fixer(
        mode=settings.mode,
        max_fixes_an_hour=settings.max_fixes_an_hour,
        rules={rule.id: rule(settings.trust) for rule in RULES},
        source=StateReader(
            FunctionReader(client("lambda")),
            RoleReader(client("iam")),
            _source_policies(),
            _inventories(),
            OrganizationReader(lambda: client("organizations")),
        ),
        facts=LiveFacts(client("iam"), client("cloudformation")),
        store=table,
        slots=table,
        writer=RoleWriter(client("iam")),
        clock=utc_now,
        wait=time.sleep,
    )


def _source_policies() -> SourcePolicyReader:
    return SourcePolicyReader(lambda: client("sqs"), lambda: client("kinesis"), lambda: client("dynamodb"))


@cache
def _inventories() -> InventoryReader:
    """Return what an execution environment remembers of what can invoke functions."""
    return InventoryReader(client)


@cache
def _aws_managed_policies() -> AwsManagedPolicies:
    """Return what an execution environment remembers of AWS managed policies."""
    return AwsManagedPolicies()
