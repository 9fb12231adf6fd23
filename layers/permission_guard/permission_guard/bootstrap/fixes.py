"""The composition root of the fixer. It is a module of its own, so that checkers do not import it."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from permission_guard.aws.clients import client, client_in
from permission_guard.aws.readers.event_source_mappings import LiveMappings
from permission_guard.aws.readers.fix_state import LiveFixState
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.invoke_events import InvokeEvents
from permission_guard.aws.readers.invoke_policies import InvokePolicyReader
from permission_guard.aws.readers.metrics import Metrics
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.regions import EnabledRegions
from permission_guard.aws.readers.role_users import RoleUsers
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.simulations import PolicySimulator
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.aws.readers.stacks import AccountStacks
from permission_guard.aws.tables.decisions import DecisionReader
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.own_fixes import OwnFixTable
from permission_guard.aws.tables.stops import StopTable
from permission_guard.aws.writers.event_source_mappings import MappingWriter
from permission_guard.aws.writers.fixes import FixWriter
from permission_guard.aws.writers.invoke_policies import InvokePolicyWriter
from permission_guard.aws.writers.roles import RoleWriter
from permission_guard.bootstrap.configuration import latest
from permission_guard.bootstrap.snapshots import state_reader
from permission_guard.bootstrap.threads import thread_pool
from permission_guard.clock import utc_now
from permission_guard.config.settings import FixSettings
from permission_guard.errors import ConfigurationError
from permission_guard.fixes.afterwards import Afterwards
from permission_guard.fixes.fixer import VERIFY_AFTER_SECONDS, Fixer
from permission_guard.fixes.own_undo import OwnUndo
from permission_guard.fixes.policy_lists import PolicyLists
from permission_guard.needs.owned_policies import owned_service
from permission_guard.rules.configured import configured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.bootstrap.checks import Rules
    from permission_guard.config.document import GuardConfig


def fixer(rules: Rules, environment: Mapping[str, str], config: GuardConfig) -> Fixer:
    """Return what fixes findings of the rules. ConfigurationError if a setting is missing or invalid."""
    return _fixer(rules, FixSettings.from_environment(environment), config)


@latest
def _fixer(rules: Rules, settings: FixSettings, config: GuardConfig) -> Fixer:
    table = FindingsTable(client("dynamodb"), settings.findings_table)
    stop = StopTable(client("dynamodb"), settings.decisions_table)
    policies = InvokePolicyWriter(client("lambda"))
    return Fixer(
        mode=settings.mode,
        auto_fix=settings.auto_fix,
        decide_fix_arn=settings.decide_fix_arn,
        max_fixes_an_hour=settings.max_fixes_an_hour,
        rules={rule.id: rule for rule in configured(rules, config)},
        config=config,
        source=state_reader(FunctionReader(client("lambda")), RoleReader(client("iam"))),
        fix_state=LiveFixState(
            client("iam"),
            _stacks(),
            _role_users(),
            SourceReader(client),
            InvokePolicyReader(client("lambda")),
            lists=policy_lists(settings, config),
            no_external_sources=config.fixes.no_external_sources,
            invoke_events=_invoke_events(settings.invoke_events_log_group),
            replaces_policies=settings.replaces_policies and policies.can_replace,
        ),
        store=table,
        decisions=DecisionReader(client("dynamodb"), settings.decisions_table),
        quota=table,
        stop=stop,
        writers=FixWriter(RoleWriter(client("iam")), policies),
        afterwards=Afterwards(
            config=config.fixes,
            mappings=LiveMappings(client("lambda")),
            writers=MappingWriter(client("lambda")),
            simulator=PolicySimulator(OrganizationReader(lambda: client("organizations"), lambda: client("iam"))),
            stop=stop,
            clock=utc_now,
            wait=time.sleep,
            verify_after=VERIFY_AFTER_SECONDS,
        ),
        own_undo=OwnUndo(
            config.fixes.watch_hours,
            Metrics(client("cloudwatch")),
            OwnFixTable(client("dynamodb"), settings.decisions_table),
            utc_now,
        ),
        clock=utc_now,
        wait=time.sleep,
        token=lambda: uuid4().hex,
    )


def _invoke_events(log_group_arn: str) -> InvokeEvents | None:
    """Return what reads CloudTrail's data events in the region of a log group, None without a log group."""
    if not log_group_arn:
        return None
    return InvokeEvents(
        log_group_arn,
        lambda region: client_in("logs", region),
        lambda region: client_in("cloudtrail", region),
        utc_now,
        time.sleep,
    )


def policy_lists(settings: FixSettings, config: GuardConfig) -> PolicyLists:
    """Return which policies may be attached. ConfigurationError if a policy is none that the stack can own."""
    if unknown := [arn for arn in settings.owned_policies if owned_service(arn) is None]:
        raise ConfigurationError(f"OWNED_POLICY_ARNS has {', '.join(unknown)}, which the stack does not own")
    return PolicyLists(settings.owned_policies, config.fixes.policies)


@cache
def _regions() -> EnabledRegions:
    """Return the enabled regions; an execution environment caches the list."""
    return EnabledRegions(lambda: client("ec2"))


@cache
def _role_users() -> RoleUsers:
    """Return what asks Lambda in each region which functions use a role."""
    return RoleUsers(_regions(), lambda region: client_in("lambda", region), thread_pool)


@cache
def _stacks() -> AccountStacks:
    """Return what asks CloudFormation in each region."""
    return AccountStacks(_regions(), lambda region: client_in("cloudformation", region), thread_pool)
