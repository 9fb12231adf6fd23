"""What a clean, full evaluation of the account finds: with the same rules, without events, tables or faults."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.checks.engine import MAX_VIOLATIONS, evaluate, merge_versions
from permission_guard.config.read import read_config
from permission_guard.findings.exceptions import exclusion_of
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.model.verdicts import Outcome
from permission_guard.rules import execution_role, invoke_policy
from permission_guard.rules.configured import configured
from tests.fakes import ACCOUNT, REGION
from tests.inline_pool import InlinePool

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.config.document import GuardConfig
    from permission_guard.model.verdicts import Severity
    from permission_guard.rules.report import Report
    from tests.simulation.world import World

RULES = {Direction.INVOKE_POLICY: invoke_policy.RULES, Direction.EXECUTION_ROLE: execution_role.RULES}


def clean_evaluation(world: World) -> tuple[dict[str, Severity], set[str]]:
    """Return the severity of each violation by the finding's id, and the ids of what is unknown."""
    config = config_of(world)
    found: dict[str, Severity] = {}
    unknown: set[str] = set()
    for name in sorted(world.account.functions):
        target = FunctionTarget("aws", REGION, ACCOUNT, name)
        for direction in Direction:
            if exclusion_of(config, target, None) is not None:
                continue
            report = _report(world, target, direction, config)
            for verdict in report.verdicts:
                if verdict.outcome is Outcome.VIOLATION:
                    found[verdict.finding_id] = verdict.severity or report.rules[verdict.rule_id].severity
                elif verdict.outcome is Outcome.UNKNOWN:
                    unknown.add(verdict.finding_id)
    return found, unknown


def config_of(world: World) -> GuardConfig:
    """Return the configuration as it is deployed now."""
    return read_config(world.document, now=datetime.fromtimestamp(world.now, UTC))


def _report(world: World, target: FunctionTarget, direction: Direction, config: GuardConfig) -> Report:
    client: Callable[[Any], Any] = world.client
    reader = StateReader(
        FunctionReader(client("lambda")),
        RoleReader(client("iam")),
        SourceReader(client),
        lambda: InventoryReader(client, pool=InlinePool),
        OrganizationReader(lambda: client("organizations"), lambda: client("iam")),
    )
    snapshot = reader.snapshot(target, direction)
    users: dict[str, tuple[FunctionTarget, ...]] = {}
    for arn in set(snapshot.role_arns.values()):
        names = sorted(one for one, function in world.account.functions.items() if function.role == arn)
        users[arn] = tuple(FunctionTarget("aws", REGION, ACCOUNT, one) for one in names)
    rules = configured(RULES[direction], config)
    report = evaluate(replace(snapshot, role_users=users), rules, limit=MAX_VIOLATIONS)
    return merge_versions(report, lambda _verdict: False)
