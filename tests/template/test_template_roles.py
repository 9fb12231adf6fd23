"""The roles allow exactly the actions that the code declares and calls."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from permission_guard.aws.readers.inventories.services import SERVICES as INVENTORIES
from permission_guard.aws.readers.permissions import READS
from permission_guard.aws.readers.resource_tags import SERVICE as TAGS
from permission_guard.aws.readers.sources import services as sources
from permission_guard.aws.tables.own_fixes import WATCH
from permission_guard.aws.tables.stops import BREAKER, SWITCH
from permission_guard.bootstrap.tickets import TICKET_SYSTEMS
from permission_guard.fixes import afterwards, all_fixes, fix_for
from permission_guard.fixes.attach_managed_policy import ATTACHABLE
from permission_guard.fixes.invoke_policies import SERVICES
from permission_guard.invokers import invoker_of
from permission_guard.model.targets import Direction
from permission_guard.rules import RULES
from tests.owned_policies import PSEUDO, rendered
from tests.template.calls import CLIENTS, NOT_OPERATIONS, PACKAGE, operations, uses
from tests.template.sam_template import Template, listed, referred, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.aws.readers.inventories.base import InvokingService
    from permission_guard.aws.readers.sources.base import SourceService

READERS = PACKAGE / "aws" / "readers"

WRITES = afterwards.WRITES.union(*(fix.writes for fix in all_fixes()))
"""The IAM actions with which fixes write, and what follows them."""

USE_KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
"""Actions that SQS, SNS and DynamoDB make with a function's role if the customer chose a key."""

OWN_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
RECEIVE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
READ_STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
KEEP_FAILED = {"sqs:SendMessage"}
DEAD_LETTER_QUEUES = [
    f"{name}DeadLetterQueue"
    for name in (
        *("InvokePolicy", "ExecutionRole", "SweepInvokePolicy", "SweepExecutionRole", "Sweep"),
        *("Maintenance", "Publish", "Alert", "Ticket", "Fix"),
    )
]
INVOKE = "lambda:InvokeFunction"
READ_CONFIGURATION = {"appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"}
"""Actions of Powertools, with the client that it gets."""
ROLES_OF_SERVICES = {"ConfigurationMonitorRole": "appconfig", "MaintenanceScheduleRole": "scheduler"}
"""The roles that AWS's services assume. All other roles are of functions."""
"""Actions that Lambda itself makes with a function's role, so the code does not call them."""


INVOKE_EVENTS = uses("aws/readers/invoke_events", service="logs") | uses("aws/readers/trails")
"""What a fix calls to find out who invoked a function, besides what inventories call."""


def module_of(service: InvokingService) -> str:
    """Return the module of `aws/` that reads an inventory."""
    return "/".join(service.read.__module__.split(".")[1:])


def source_module(source: SourceService) -> str:
    """Return the module of `aws/` that reads a source."""
    read = source.policy or source.state
    assert read is not None
    return "/".join(read.call.__module__.split(".")[1:])


def actions_of(source: SourceService) -> set[str]:
    """Return the IAM actions that a source declares."""
    return {read.action for read in (source.state, source.policy, source.grants) if read}


# ── What each function may do ───────────────────────────────────────────────────────────────────────────────────────


def _reads(scope: Direction) -> set[str]:
    return set(READS[scope]).union(*(rule.reads for rule in RULES if rule.direction is scope))


def _expected() -> dict[str, set[str]]:
    record = uses("aws/tables/findings", "start_check", "findings_of", "commit_check")
    again = uses("aws/senders/check_queue", service="sqs")
    fixed = [rule for rule in RULES if fix_for(rule.id)]
    fixer_reads = set().union(*(READS[rule.direction] | rule.reads for rule in fixed))
    return {
        "CheckInvokePolicyFunction": OWN_LOGS
        | RECEIVE
        | READ_CONFIGURATION
        | record
        | again
        | _reads(Direction.INVOKE_POLICY),
        "CheckExecutionRoleFunction": OWN_LOGS
        | RECEIVE
        | READ_CONFIGURATION
        | record
        | again
        | _reads(Direction.EXECUTION_ROLE)
        | uses("aws/tables/role_index", "functions_of_roles", "is_complete")
        | uses("aws/readers/functions", "roles_of_functions")
        | uses("aws/readers/roles", "roles_of_policy"),
        "SweepAccountFunction": OWN_LOGS
        | KEEP_FAILED
        | uses("aws/readers/functions", "roles_of_functions")
        | uses("aws/tables/role_index", "rebuild", "is_complete", "functions_of_roles")
        | uses("aws/tables/findings", "targets_with_open_findings", "keys_of", "findings_of")
        | (uses("aws/tables/findings", "put_finding") - {"dynamodb:UpdateItem"})  # no transaction of it updates
        | uses("aws/tables/maintenance", "baseline", "put_baseline")
        | uses("aws/tables/sweep_cursor")
        | uses("aws/senders/event_queue")
        | uses("aws/senders/check_queue", service="sqs")
        | READ_CONFIGURATION,
        "MaintainFindingsFunction": OWN_LOGS
        | KEEP_FAILED
        | uses("aws/tables/findings", "keys_of", "applied_since", "findings_of")
        | (uses("aws/tables/findings", "put_finding") - {"dynamodb:UpdateItem"})  # as above
        | uses("aws/readers/metrics")
        | uses("aws/tables/maintenance")
        | uses("aws/readers/dead_letters")
        | uses("aws/tables/role_index", "is_complete")
        | uses("aws/senders/event_queue")
        | READ_CONFIGURATION,
        "PublishFindingsFunction": OWN_LOGS | READ_STREAM | KEEP_FAILED | uses("aws/senders/event_bus"),
        "SendAlertFunction": OWN_LOGS
        | RECEIVE
        | READ_CONFIGURATION
        | uses("aws/tables/finding_reader")
        | uses("aws/tables/target_findings")
        | uses("aws/tables/deliveries")
        | uses("aws/tables/waiting_for_digests")
        | uses("aws/tables/quotas")
        | {"dynamodb:DeleteItem"}  # a transaction of what waits deletes
        | uses("delivery/alerts/sns/channel")
        | uses("aws/readers/secrets"),
        "OpenTicketFunction": OWN_LOGS
        | RECEIVE
        | READ_CONFIGURATION
        | uses("aws/tables/finding_reader")
        | uses("aws/tables/deliveries")
        | uses("aws/tables/waiting_for_tickets")
        | uses("aws/senders/event_queue")
        | uses("delivery/tickets/ops_item/system")
        | uses("delivery/tickets/security_hub/system")
        | uses("aws/readers/secrets"),
        "ApplyFixFunction": OWN_LOGS
        | RECEIVE
        | READ_CONFIGURATION
        | fixer_reads
        | WRITES
        | afterwards.READS.union(*(fix.reads for fix in all_fixes()))
        | uses("aws/readers/functions", "tags")
        | uses("aws/readers/roles", "managed_policy")
        | uses("aws/tables/finding_reader", "finding")
        | uses("aws/tables/findings", "put_finding", "take_fix_quota", "checkpoint", "findings_of")
        | uses("aws/tables/decisions", "decision")
        | uses("aws/readers/metrics")
        | INVOKE_EVENTS
        | uses("aws/tables/own_fixes")
        | uses("aws/tables/stops", "switch", "breaker", "put_breaker"),
        "DecideFixFunction": OWN_LOGS
        | READ_CONFIGURATION
        | uses("aws/tables/finding_reader", "finding")
        | (uses("aws/tables/findings", "put_finding") - {"dynamodb:UpdateItem"})  # no transaction of it updates
        | uses("aws/tables/decisions", "decision")
        | (uses("aws/tables/stops", "switch", "breaker", "request", "record") - {"dynamodb:UpdateItem"}),
        "ManageFindingsFunction": OWN_LOGS
        | uses("aws/tables/finding_reader", "finding")
        | (uses("aws/tables/findings", "put_finding") - {"dynamodb:UpdateItem"})  # as above
        | again
        | uses("aws/senders/function_calls"),
        "ValidateConfigFunction": OWN_LOGS,
    }


@pytest.mark.parametrize("function", _expected())
def test_a_role_allows_what_its_function_needs_and_nothing_else(template: Template, function: str) -> None:
    """Compared with every option enabled: the actions of the code and those of the role."""
    key = set() if function == "ValidateConfigFunction" else USE_KEY  # it has neither a queue nor a table
    allowed, expected = template.allowed(template.role_of(function)), _expected()[function] | key
    assert {"missing": expected - allowed, "too much": allowed - expected} == {"missing": set(), "too much": set()}


def test_the_permissions_of_every_function_are_tested(template: Template) -> None:
    """Each function has one role, and the role has no policies but the ones tested here."""
    assert _expected().keys() == template.functions.keys()
    roles = [template.role_of(function) for function in template.functions]
    assert sorted([*roles, *ROLES_OF_SERVICES]) == sorted(template.of_type("AWS::IAM::Role"))
    for function in template.functions.values():
        assert "Policies" not in function
    for name, role in template.of_type("AWS::IAM::Role").items():
        managed = {"ManagedPolicyArns"} if name == "ApplyFixRole" else set()
        assert role.keys() == {"AssumeRolePolicyDocument", "Policies"} | managed
    assert template.of_type("AWS::IAM::Role")["ApplyFixRole"]["ManagedPolicyArns"] == [{"Ref": "ApplyFixReadPolicy"}]
    assert not template.of_type("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
    for policy in template.of_type("AWS::IAM::ManagedPolicy").values():  # they are for other roles
        assert not {"Roles", "Users", "Groups"} & policy.keys()


def test_each_scope_declares_the_actions_that_its_readers_call() -> None:
    """The roles depend on READS, so it has to match the code."""
    assert READS[Direction.INVOKE_POLICY] == (
        uses("aws/readers/functions", "function", "resource_policies", "function_urls", "tags")
        | uses("aws/readers/organization", "own_organization")
        | uses("aws/readers/inventories/reader", service="s3")
        | set().union(*(uses(module_of(service), service=service.name) for service in INVENTORIES))
    )
    assert READS[Direction.EXECUTION_ROLE] == (
        uses("aws/readers/functions", "function", "invoke_configs", "mappings", "tags")
        | uses("aws/readers/roles", "role")
        | uses("aws/readers/organization", "own_organization", "denied")
        | set().union(*(actions_of(source) for source in sources.SERVICES.values()))
        | uses("aws/readers/resource_tags", service=TAGS)
    )


@pytest.mark.parametrize("source", sources.SERVICES.values(), ids=lambda source: str(source.name))
def test_each_read_of_a_source_declares_the_action_that_it_calls(source: SourceService) -> None:
    """Each read is one call, so a denied read names the missing permission."""
    assert uses(source_module(source), service=source.client) == actions_of(source)


def test_every_source_module_is_used() -> None:
    """A module that is missing in the list of services would never be read."""
    parts = {"__init__", "base", "reader", "services"}
    assert {source_module(source) for source in sources.SERVICES.values()} == {
        f"aws/readers/sources/{path.stem}" for path in (READERS / "sources").glob("*.py") if path.stem not in parts
    }


def test_the_checker_has_no_permission_to_read_data() -> None:
    """The contents of queues, streams, tables, buckets and secrets are not needed."""
    assert not READS[Direction.EXECUTION_ROLE] & {
        "dynamodb:GetItem",
        "dynamodb:GetRecords",
        "kinesis:GetRecords",
        "kms:Decrypt",
        "lambda:GetFunction",
        "logs:GetLogEvents",
        "s3:GetObject",
        "secretsmanager:GetSecretValue",
        "sqs:ReceiveMessage",
    }


@pytest.mark.parametrize("service", INVENTORIES, ids=lambda service: str(service.name))
def test_an_inventory_declares_the_actions_that_it_calls(service: InvokingService) -> None:
    """A missing action would be denied; an extra one would be an unneeded permission."""
    assert uses(module_of(service), service=service.name) == set(service.actions)


def test_every_inventory_module_is_used() -> None:
    """A module that is missing in the list of services would never be read."""
    parts = {"__init__", "apis", "base", "reader", "services"}
    assert {module_of(service) for service in INVENTORIES} == {
        f"aws/readers/inventories/{path.stem}"
        for path in (READERS / "inventories").glob("*.py")
        if path.stem not in parts
    }
    assert len(INVENTORIES) == len({service.name for service in INVENTORIES})


def test_the_existence_of_a_bucket_needs_no_permission() -> None:
    """HeadBucket reports a missing bucket to any caller, so the role needs no action for it."""
    assert operations("s3")["head_bucket"] == "s3:HeadBucket"
    assert uses("aws/readers/inventories/reader", "bucket_exists", service="s3") == set()
    assert "head_bucket" in (READERS / "inventories" / "reader.py").read_text()


def test_the_fixes_declare_the_actions_that_the_writer_calls() -> None:
    """Each module that writes makes no undeclared call."""
    modules = ("roles", "event_source_mappings", "invoke_policies")
    assert set().union(*(uses(f"aws/writers/{module}") for module in modules)) == WRITES
    assert {path.stem for path in (PACKAGE / "aws" / "writers").glob("*.py")} == {
        *("__init__", "fixes", "writer"),
        *modules,
    }
    assert uses("aws/writers/writer") == uses("aws/writers/fixes") == set()


def test_calls_are_found_in_the_code() -> None:
    """The search finds calls, paginators, methods passed as arguments and the methods that they use."""
    assert uses("aws/readers/functions", "resource_policies") == {
        "lambda:GetPolicy",
        "lambda:ListAliases",
        "lambda:ListVersionsByFunction",
    }
    assert uses("aws/tables/findings", "targets_with_open_findings") == {"dynamodb:Query"}
    assert uses("aws/readers/inventories/events", service="events") == {
        "events:ListEventBuses",
        "events:ListRules",
        "events:ListTargetsByRule",
    }
    with pytest.raises(AssertionError, match="no_such_method"):
        uses("aws/readers/functions", "no_such_method")


def test_every_action_exists(template: Template) -> None:
    """A misspelt action allows nothing, without an error."""
    services = {*CLIENTS.values(), *(service.name for service in INVENTORIES), "organizations"}
    data_plane = operations("appconfigdata").values()
    services |= {source.client for source in sources.SERVICES.values()} | {TAGS}
    known = {action for service in services for action in operations(service).values()}
    known |= {f"appconfig:{action.split(':')[1]}" for action in data_plane}
    known |= {f"dynamodb:{action.split(':')[1]}" for action in operations("dynamodbstreams").values()}
    strange = set().union(*(template.allowed(role) for role in template.of_type("AWS::IAM::Role"))) - known
    assert strange == {*NOT_OPERATIONS, INVOKE}
    for action, operation in NOT_OPERATIONS.items():
        assert f"{action.split(':')[0]}:{operation}" in known


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _writes(actions: set[str]) -> set[str]:
    """Return the actions that change IAM or Lambda."""
    reading = ("Get", "List", "Simulate")
    return {
        action
        for action in actions
        if action.startswith(("iam:", "lambda:")) and not action.split(":")[1].startswith(reading) and action != INVOKE
    }


def test_only_the_schedule_and_tests_of_channels_invoke_functions(
    template: Template, deployed: Callable[..., Template]
) -> None:
    """The schedule may keep a failed start, too, and nothing else. Without tickets there is nothing to test there."""
    found = {role for role in template.of_type("AWS::IAM::Role") if INVOKE in template.allowed(role)}
    assert found == {"MaintenanceScheduleRole", "ManageFindingsRole"}
    assert _on(template, "ManageFindingsRole", INVOKE) == ["OpenTicketFunction", "SendAlertFunction"]
    without = deployed(TicketSystem="none", ImportToSecurityHub="false", TicketSecretArns="")
    assert _on(without, "ManageFindingsRole", INVOKE) == ["SendAlertFunction"]
    assert not without.environment_of("ManageFindingsFunction")["OPEN_TICKET_FUNCTION"]
    invoke, keep = (one for one in template.statements("MaintenanceScheduleRole") if one["Sid"] != "UseTheKey")
    assert (invoke["Action"], invoke["Resource"]) == (INVOKE, {"Fn::GetAtt": ["MaintainFindingsFunction", "Arn"]})
    queue = {"Fn::GetAtt": ["MaintenanceDeadLetterQueue", "Arn"]}
    assert (keep["Action"], keep["Resource"]) == ("sqs:SendMessage", queue)


@pytest.mark.parametrize("mode", ["off", "plan", "approve", "auto"])
def test_only_the_fixer_may_write_to_iam_or_lambda(deployed: Callable[..., Template], mode: str) -> None:
    """No FixMode gives another role a write permission."""
    template = deployed(FixMode=mode)
    for role in template.of_type("AWS::IAM::Role").keys() - {"ApplyFixRole"}:
        assert _writes(template.allowed(role)) == set(), role


@pytest.mark.parametrize("mode", ["off", "plan"])
def test_the_fixer_has_no_write_permission_without_mode_approve_or_auto(
    deployed: Callable[..., Template], mode: str
) -> None:
    """The role enforces the mode, not only the code."""
    assert _writes(deployed(FixMode=mode).allowed("ApplyFixRole")) == set()


def test_the_default_stack_has_no_write_permission(deployed: Callable[..., Template]) -> None:
    """By default the bot only reports."""
    assert deployed().values["FixMode"] == "off"
    assert _writes(deployed().allowed("ApplyFixRole")) == set()


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_the_fixer_may_apply_its_fixes_in_mode_approve_or_auto(deployed: Callable[..., Template], mode: str) -> None:
    """The role allows exactly the actions that the fixes declare."""
    allowed = _writes(deployed(FixMode=mode, AtomicNarrowing="true").allowed("ApplyFixRole"))
    roles = {"iam:AttachRolePolicy", "iam:DetachRolePolicy"}
    policies = {"lambda:AddPermission", "lambda:PutResourcePolicy", "lambda:RemovePermission"}
    assert allowed == WRITES == roles | policies | {"lambda:UpdateEventSourceMapping"}
    assert _writes(deployed(FixMode=mode).allowed("ApplyFixRole")) == WRITES - {"lambda:PutResourcePolicy"}


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_the_fixer_may_allow_only_the_services_on_the_list(deployed: Callable[..., Template], mode: str) -> None:
    """The template and the code have the same list: the services whose triggers the bot can list. Never everyone."""
    statements = [
        one
        for one in deployed(FixMode=mode).statements("ApplyFixRole")
        if "lambda:AddPermission" in listed(one["Action"])
    ]
    (allow,) = (one for one in statements if one["Effect"] == "Allow")
    own = {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*"}
    assert (allow["Action"], allow["Resource"]) == ("lambda:AddPermission", own)
    regional = {invoker_of(name).regional_principal for name in SERVICES} - {""}
    assert regional == {"logs.{region}.{suffix}", "sns.{region}.amazonaws.com"}
    written = {
        one if isinstance(one, str) else one["Fn::Sub"] for one in allow["Condition"]["StringLike"]["lambda:Principal"]
    }
    assert allow["Condition"].keys() == {"StringLike"}
    assert written == SERVICES | {"logs.${AWS::Region}.${AWS::URLSuffix}", "sns.*.amazonaws.com"}
    assert {service.principal for service in INVENTORIES} == SERVICES
    everyone = {"StringEquals": {"lambda:Principal": "*"}}
    assert everyone in [one["Condition"] for one in statements if one["Effect"] == "Deny" and one["Resource"] == "*"]


def test_a_fixer_that_replaces_policies_may_do_what_that_call_also_needs(deployed: Callable[..., Template]) -> None:
    """AWS asks for AddPermission too, and names no principal then. AddPermission itself stays limited to the list."""
    own = {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*"}
    without, replacing = (
        deployed(FixMode="auto", AtomicNarrowing=value).statements("ApplyFixRole") for value in ("false", "true")
    )
    more = [one for one in replacing if one not in without]
    assert [(one["Action"], one["Resource"], one.get("Condition")) for one in more] == [
        ("lambda:PutResourcePolicy", own, None),
        ("lambda:AddPermission", own, {"Null": {"lambda:Principal": "true"}}),
    ]


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_the_fixer_may_attach_and_detach_only_the_policies_on_the_list(
    deployed: Callable[..., Template], mode: str
) -> None:
    """The template and the code have the same list."""
    statements = [
        statement
        for statement in deployed(FixMode=mode).statements("ApplyFixRole")
        if statement["Effect"] == "Allow"
        and any(action.startswith("iam:") for action in _writes(set(listed(statement["Action"]))))
    ]
    (statement,) = statements
    assert statement["Action"] == ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    assert statement["Condition"].keys() == {"ArnEquals"}
    assert statement["Condition"]["ArnEquals"].keys() == {"iam:PolicyARN"}
    prefix = "arn:${AWS::Partition}:iam::aws:policy/"
    arns = [arn["Fn::Sub"] for arn in statement["Condition"]["ArnEquals"]["iam:PolicyARN"]]
    assert sorted(arns) == sorted(prefix + path for path in ATTACHABLE)  # and none of the stack: no parameter is set
    assert not any("*" in arn for arn in arns)


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_the_fixer_may_change_only_mappings_of_functions_of_the_account(
    deployed: Callable[..., Template], mode: str
) -> None:
    """IAM has no condition key for what is changed of a mapping."""
    (statement,) = (
        one
        for one in deployed(FixMode=mode).statements("ApplyFixRole")
        if one["Effect"] == "Allow" and "lambda:UpdateEventSourceMapping" in listed(one["Action"])
    )
    own = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:"
    assert statement["Action"] == "lambda:UpdateEventSourceMapping"
    assert statement["Resource"] == {"Fn::Sub": f"{own}event-source-mapping:*"}
    assert statement["Condition"] == {"ArnLike": {"lambda:FunctionArn": {"Fn::Sub": f"{own}function:*"}}}


@pytest.mark.parametrize("mode", ["off", "plan", "approve", "auto"])
def test_the_fixer_is_denied_writes_to_resources_tagged_never(deployed: Callable[..., Template], mode: str) -> None:
    """The role enforces the tag for every write, not only the code."""
    denies = [
        statement for statement in deployed(FixMode=mode).statements("ApplyFixRole") if statement["Effect"] == "Deny"
    ]
    everyone, deny = denies
    assert everyone["Sid"] == "NeverAllowEveryone"
    assert set(listed(deny["Action"])) == WRITES
    assert deny["Resource"] == "*"
    assert deny["Condition"] == {"StringEqualsIgnoreCase": {"aws:ResourceTag/permission-guard:fix": "never"}}


def _rendered(node: Any, known: dict[str, str]) -> Any:
    """Return a part of a policy as CloudFormation writes it."""
    if isinstance(node, list):
        return [_rendered(one, known) for one in node]
    if not isinstance(node, dict):
        return node
    if "Fn::GetAtt" in node:
        return known[".".join(node["Fn::GetAtt"])]
    if node.keys() & {"Ref", "Fn::Sub", "Fn::Join"}:
        return rendered(node, known)
    return {key: _rendered(value, known) for key, value in node.items()}


@pytest.mark.parametrize(("partition", "region"), [("aws", "ap-southeast-1"), ("aws-us-gov", "us-gov-east-1")])
def test_the_policies_of_each_role_fit_into_it(template: Template, partition: str, region: str) -> None:
    """IAM allows 10,240 characters for the inline policies of a role, and 6,144 for a managed one.

    With every parameter, and the longest name of a stack that the names of the stack's own policies allow.
    """
    stack = "a" * 64
    known = {**PSEUDO, "AWS::StackName": stack, "AWS::Region": region, "AWS::Partition": partition, **template.values}
    for name in template.raw["Resources"]:
        arn = f"arn:{partition}:dynamodb:{region}:123456789012:table/{stack}-{name}-0123456789AB"
        known |= {name: "abcdefg", f"{name}.Arn": arn, f"{name}.StreamArn": f"{arn}/stream/2026-11-30T00:00:00.000"}
    for name, policy in template.owned_policies.items():
        named = rendered(policy["ManagedPolicyName"], known)
        known[name] = f"arn:{partition}:iam::123456789012:policy{policy['Path']}{named}"
    for role, properties in template.of_type("AWS::IAM::Role").items():
        assert sum(_size(policy, known) for policy in properties["Policies"]) <= 10_240, role
    managed = template.of_type("AWS::IAM::ManagedPolicy")
    for name in managed.keys() - template.owned_policies.keys():
        assert _size(managed[name], known) <= 6_144, name


def _size(policy: dict[str, Any], known: dict[str, str]) -> int:
    """Return how many characters of a policy IAM counts."""
    return len(json.dumps(_rendered(policy["PolicyDocument"], known), separators=(",", ":")))


def test_inline_policies_are_never_written(template: Template) -> None:
    """A role that may write inline policies may grant any permission."""
    named = {path for path, value in walk(template.raw) if value == "iam:PutRolePolicy"}
    assert named == set()
    for role in template.of_type("AWS::IAM::Role"):
        assert not any(action.startswith("iam:Put") for action in template.allowed(role))


@pytest.mark.parametrize("function", ["CheckInvokePolicyFunction", "CheckExecutionRoleFunction"])
def test_a_checker_only_reads_the_resources_that_it_checks(template: Template, function: str) -> None:
    """It writes only its findings and logs, deletes its messages, and requests rechecks."""
    own = OWN_LOGS | RECEIVE | USE_KEY | READ_CONFIGURATION | uses("aws/senders/check_queue", service="sqs")
    own |= uses("aws/tables/findings", "start_check", "findings_of", "commit_check")
    reading = ("Get", "List", "Describe", "Simulate", "GET")
    for action in template.allowed(template.role_of(function)) - own:
        assert action.split(":")[1].startswith(reading), action


# ── Resources ───────────────────────────────────────────────────────────────────────────────────────────────────────

# Allowed on every resource, since AWS does not support resource-level permissions for them.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
ON_EVERYTHING = {
    "lambda:ListFunctions",
    "lambda:ListEventSourceMappings",
    "ssm:CreateOpsItem",
    "ssm:DescribeOpsItems",
    "cloudtrail:DescribeTrails",
    "cloudtrail:LookupEvents",
    "cloudformation:DescribeStackResources",  # called with the resource, since the stack is unknown
    "cloudwatch:GetMetricData",
    "cloudwatch:DescribeAlarms",  # returns composite alarms only if it is allowed on all
    "cognito-idp:ListUserPools",
    "config:DescribeConfigRules",
    "ec2:DescribeRegions",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "events:ListEventBuses",
    "events:ListRules",
    "iam:GetAccountSummary",
    "iot:ListAuthorizers",
    "iot:ListTopicRules",
    "logs:DescribeAccountPolicies",
    "logs:DescribeLogGroups",
    "logs:GetQueryResults",
    "organizations:DescribeOrganization",
    "s3:ListAllMyBuckets",
    "secretsmanager:ListSecrets",
    "sns:ListSubscriptions",
    "sns:ListTopics",
    "tag:GetResources",  # of every service that has tags
}

# Event sources, secrets and destinations may belong to other accounts, which then have to allow the bot too.
SOURCES = {
    "arn:${AWS::Partition}:dynamodb:${AWS::Region}:*:table/*",
    "arn:${AWS::Partition}:dynamodb:${AWS::Region}:*:table/*/stream/*",
    "arn:${AWS::Partition}:kinesis:${AWS::Region}:*:stream/*",
    "arn:${AWS::Partition}:kms:${AWS::Region}:*:key/*",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:*:secret:*",
    "arn:${AWS::Partition}:sns:${AWS::Region}:*:*",
    "arn:${AWS::Partition}:sqs:${AWS::Region}:*:*",
}

# All streams of the table: that is what `dynamodb:ListStreams` is evaluated on.
STREAMS = {"${FindingsTable.Arn}/stream/*"}

# A log group, as IAM names it: with all of its streams.
EVENTS_OF_FUNCTIONS = {"${InvokeEventsLogGroupArn}:*"}

# All of one type in this account: the bot checks every function, every role and every trigger.
ALL_OF_A_KIND = {
    "arn:${AWS::Partition}:apigateway:${AWS::Region}::/apis*",
    "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis*",
    "arn:${AWS::Partition}:cloudtrail:*:${AWS::AccountId}:trail/*",  # the region is that of the log group
    "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/*",
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:event-source-mapping:*",
    "arn:${AWS::Partition}:elasticfilesystem:${AWS::Region}:${AWS::AccountId}:access-point/*",
    "arn:${AWS::Partition}:elasticfilesystem:${AWS::Region}:${AWS::AccountId}:file-system/*",
    "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/*",
    "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*",
    "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:authorizer/*",
    "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:rule/*",
    "arn:${AWS::Partition}:kafka:${AWS::Region}:${AWS::AccountId}:cluster/*",
    "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*",
    "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*",
    "arn:${AWS::Partition}:mq:${AWS::Region}:${AWS::AccountId}:broker:*",
    "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:cluster:*",
    "arn:${AWS::Partition}:s3:::*",
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*",
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*",
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/*",
    "arn:${AWS::Partition}:iam::aws:policy/*",
    "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:opsitem/*",
}


def test_resources_are_named_unless_aws_does_not_support_it(template: Template) -> None:
    """Every `*` is on one of the lists, and the lists have no unused entries."""
    everywhere: set[str] = set()
    kinds: set[str] = set()
    for role in template.of_type("AWS::IAM::Role"):
        for statement in template.statements(role):
            assert "NotResource" not in statement
            assert "NotAction" not in statement
            assert not any("*" in action for action in listed(statement["Action"])), statement["Sid"]
            if statement["Effect"] == "Deny":
                continue
            for resource in listed(statement["Resource"]):
                if resource == "*":
                    everywhere |= set(listed(statement["Action"]))
                elif "*" in str(resource):
                    kinds.add(resource["Fn::Sub"])
    assert everywhere == ON_EVERYTHING
    assert kinds == ALL_OF_A_KIND | SOURCES | STREAMS | EVENTS_OF_FUNCTIONS


def _on(template: Template, role: str, action: str) -> list[str]:
    """Return the resources of this stack on which a role allows an action."""
    return sorted(
        referred(resource)
        for statement in template.statements(role)
        if statement["Effect"] == "Allow" and action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if resource.get("Fn::Sub") not in SOURCES
    )


def test_a_function_may_write_only_its_own_logs(template: Template) -> None:
    """It must not create or change log groups."""
    for name, function in template.functions.items():
        own = referred(function["LoggingConfig"]["LogGroup"])
        for action in OWN_LOGS:
            assert _on(template, template.role_of(name), action) == [own]


def test_a_function_may_receive_only_from_its_own_queues(template: Template) -> None:
    """Those are the queues of its event sources."""
    receivers = 0
    for name, function in template.functions.items():
        queues = [referred(e["Properties"]["Queue"]) for e in function["Events"].values() if e["Type"] == "SQS"]
        for action in RECEIVE:
            found = _on(template, template.role_of(name), action)
            if (name, action) == ("MaintainFindingsFunction", "sqs:GetQueueAttributes"):  # counts, and receives nothing
                found = sorted(set(found) - set(DEAD_LETTER_QUEUES))
            assert found == sorted(queues)
        receivers += len(queues)
    assert receivers == 7


def _on_own_resources() -> dict[str, dict[str, set[str]]]:
    """Return what each role needs on each resource of the stack, as the code calls it."""
    record = uses("aws/tables/findings", "start_check", "findings_of", "commit_check")
    request = uses("aws/senders/check_queue", service="sqs")
    read = uses("aws/tables/finding_reader", "finding")
    deliveries = uses("aws/tables/deliveries")
    write = uses("aws/tables/findings", "put_finding")
    index = uses("aws/tables/role_index", "functions_of_roles", "is_complete")
    needed: dict[str, dict[str, set[str]]] = {
        "CheckInvokePolicyRole": {
            "FindingsTable": record,
            "InvokePolicyQueue": RECEIVE | request,
            "SweepInvokePolicyQueue": RECEIVE,
        },
        "CheckExecutionRoleRole": {
            "FindingsTable": record | index,
            "ExecutionRoleQueue": RECEIVE | request,
            "SweepExecutionRoleQueue": RECEIVE,
        },
        "SweepAccountRole": {
            "FindingsTable": uses("aws/tables/role_index", "rebuild", "is_complete", "functions_of_roles")
            | uses("aws/tables/findings", "targets_with_open_findings", "keys_of", "findings_of")
            | write - {"dynamodb:UpdateItem"}  # no transaction of it updates
            | uses("aws/tables/maintenance", "baseline", "put_baseline")
            | uses("aws/tables/sweep_cursor"),
            "AlertQueue": uses("aws/senders/event_queue"),
            "TicketQueue": uses("aws/senders/event_queue"),
            "FixQueue": uses("aws/senders/event_queue"),
            "SweepInvokePolicyQueue": request,
            "SweepExecutionRoleQueue": request,
            "SweepDeadLetterQueue": KEEP_FAILED,
        },
        "MaintainFindingsRole": {
            "FindingsTable": uses("aws/tables/findings", "keys_of", "findings_of")
            | write - {"dynamodb:UpdateItem"}  # as above
            | uses("aws/tables/maintenance")
            | uses("aws/tables/role_index", "is_complete"),
            "DeliveriesTable": uses("aws/tables/waiting_for_digests", "channels")
            | uses("aws/tables/quotas", "channels"),
            "AlertQueue": uses("aws/senders/event_queue"),
            "TicketQueue": uses("aws/senders/event_queue"),
            **{queue: uses("aws/readers/dead_letters") for queue in DEAD_LETTER_QUEUES},
            "MaintenanceDeadLetterQueue": KEEP_FAILED | uses("aws/readers/dead_letters"),
        },
        "PublishFindingsRole": {
            "FindingsTable": READ_STREAM,
            "FindingsBus": uses("aws/senders/event_bus"),
            "PublishDeadLetterQueue": KEEP_FAILED,
        },
        "SendAlertRole": {
            "FindingsTable": uses("aws/tables/finding_reader") | uses("aws/tables/target_findings"),
            "DeliveriesTable": deliveries
            | uses("aws/tables/waiting_for_digests")
            | uses("aws/tables/quotas")
            | {"dynamodb:DeleteItem"},  # a transaction of it deletes
            "AlertQueue": RECEIVE,
            "AlertTopic": uses("delivery/alerts/sns/channel"),
            "SlackSecretArn": uses("aws/readers/secrets"),
            "ChannelSecretArns": uses("aws/readers/secrets"),
            "ChannelTopicArns": uses("delivery/alerts/sns/channel"),
        },
        "OpenTicketRole": {
            "FindingsTable": uses("aws/tables/finding_reader"),
            "DeliveriesTable": deliveries | uses("aws/tables/waiting_for_tickets"),
            "TicketQueue": RECEIVE | uses("aws/senders/event_queue"),
            "TicketSecretArn": uses("aws/readers/secrets"),
            "TicketSecretArns": uses("aws/readers/secrets"),
        },
        "ApplyFixRole": {
            "FindingsTable": read | write | uses("aws/tables/findings", "take_fix_quota", "checkpoint", "findings_of"),
            "DecisionsTable": uses("aws/tables/decisions", "decision")
            | uses("aws/tables/own_fixes")
            | uses("aws/tables/stops", "switch", "breaker", "put_breaker"),
            "FixQueue": RECEIVE,
            "InvokeEventsLogGroupArn": {"logs:StartQuery"},
        },
        "DecideFixRole": {
            "FindingsTable": read | write - {"dynamodb:UpdateItem"},  # no transaction of it updates
            "DecisionsTable": uses("aws/tables/decisions", "decision")
            | uses("aws/tables/stops", "switch", "breaker", "request", "record") - {"dynamodb:UpdateItem"}
            | write - {"dynamodb:UpdateItem"},
        },
        "ManageFindingsRole": {
            "FindingsTable": read | write - {"dynamodb:UpdateItem"},  # as above
            "InvokePolicyQueue": request,
            "ExecutionRoleQueue": request,
            "SendAlertFunction": uses("aws/senders/function_calls"),
            "OpenTicketFunction": uses("aws/senders/function_calls"),
        },
    }
    with_key = {
        role: {role.removesuffix("Role") + "Logs": OWN_LOGS, "KmsKeyArn": USE_KEY, **on} for role, on in needed.items()
    }
    return {**with_key, "ValidateConfigRole": {"ValidateConfigLogs": OWN_LOGS}}


@pytest.mark.parametrize("role", _on_own_resources())
def test_a_role_allows_on_each_resource_of_the_stack_what_the_code_calls_there(template: Template, role: str) -> None:
    """Resource by resource: a compromised sender writes no finding, a compromised checker approves nothing."""
    allowed: dict[str, set[str]] = {}
    for statement in template.statements(role):
        for resource in listed(statement["Resource"]):
            if statement["Effect"] == "Allow" and isinstance(resource, dict) and "${AWS::" not in str(resource):
                allowed.setdefault(referred(resource), set()).update(listed(statement["Action"]))
    assert allowed == _on_own_resources()[role]


def test_what_only_one_role_may_do(template: Template) -> None:
    """Who writes to IAM, who records decisions, who publishes, who sends alerts."""

    def may(action: str, resource: str | None = None) -> set[str]:
        return {
            role
            for role in template.of_type("AWS::IAM::Role")
            if (resource in _on(template, role, action) if resource else action in template.allowed(role))
        }

    assert may("iam:AttachRolePolicy") == may("iam:DetachRolePolicy") == {"ApplyFixRole"}
    assert may("dynamodb:PutItem", "DecisionsTable") == {"DecideFixRole", "ApplyFixRole"}  # of the breaker, see below
    assert may("dynamodb:UpdateItem", "DecisionsTable") == may("dynamodb:DeleteItem", "DecisionsTable") == set()
    assert may("events:PutEvents") == {"PublishFindingsRole"}
    assert may("sns:Publish") == may("secretsmanager:GetSecretValue", "SlackSecretArn") == {"SendAlertRole"}
    assert may("sns:Publish", "ChannelTopicArns") == {"SendAlertRole"}
    assert may("secretsmanager:GetSecretValue", "ChannelSecretArns") == {"SendAlertRole"}
    assert may("secretsmanager:GetSecretValue", "TicketSecretArn") == {"OpenTicketRole"}
    assert may("secretsmanager:GetSecretValue", "TicketSecretArns") == {"OpenTicketRole"}
    assert may("ssm:CreateOpsItem") == {"OpenTicketRole"}
    assert may("dynamodb:UpdateItem", "DeliveriesTable") == {"SendAlertRole", "OpenTicketRole"}
    for action in ("PutItem", "DeleteItem"):  # what waits for a digest
        assert may(f"dynamodb:{action}", "DeliveriesTable") == {"SendAlertRole"}


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_the_fixer_may_write_only_the_breaker_into_the_decisions_table(
    deployed: Callable[..., Template], mode: str
) -> None:
    """It stops fixing, and can neither resume it nor approve a fix: those are other keys."""
    writes = [
        statement
        for statement in deployed(FixMode=mode).statements("ApplyFixRole")
        if statement["Effect"] == "Allow"
        and "dynamodb:PutItem" in listed(statement["Action"])
        and {"Fn::GetAtt": ["DecisionsTable", "Arn"]} in listed(statement["Resource"])
    ]
    (write,) = writes
    assert listed(write["Action"]) == ["dynamodb:PutItem"]
    assert write["Condition"] == {
        "Null": {"dynamodb:LeadingKeys": "false"},
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [BREAKER, f"{WATCH}*"]},
    }
    assert not BREAKER.startswith((SWITCH, "REQUEST#", WATCH))
    assert not re.match(f"[0-9a-f]|{SWITCH}|REQUEST#", WATCH)  # a decision has the id of its finding as its key


@pytest.mark.parametrize("mode", ["off", "plan"])
def test_a_fixer_that_applies_nothing_counts_nothing(deployed: Callable[..., Template], mode: str) -> None:
    """It has no write permission on the decisions table."""
    template = deployed(FixMode=mode)
    assert _on(template, "ApplyFixRole", "dynamodb:PutItem") == ["FindingsTable"]


def test_entities_are_listed_only_for_policies_of_this_account(template: Template) -> None:
    """AWS managed policies change without an event in the account."""
    statements = template.statements("CheckExecutionRoleRole")
    (statement,) = [one for one in statements if "iam:ListEntitiesForPolicy" in listed(one["Action"])]
    assert statement["Action"] == ["iam:ListEntitiesForPolicy"]
    assert statement["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/*"}


@pytest.mark.parametrize(
    ("parameter", "action", "function"),
    [
        ("SlackSecretArn", "secretsmanager:GetSecretValue", "SendAlertFunction"),
        ("ChannelSecretArns", "secretsmanager:GetSecretValue", "SendAlertFunction"),
        ("ChannelTopicArns", "sns:Publish", "SendAlertFunction"),
        ("TicketSecretArn", "secretsmanager:GetSecretValue", "OpenTicketFunction"),
        ("TicketSecretArns", "secretsmanager:GetSecretValue", "OpenTicketFunction"),
    ],
)
def test_a_disabled_option_has_no_permission(
    template: Template, deployed: Callable[..., Template], parameter: str, action: str, function: str
) -> None:
    """The parameter adds the permission, on what it names and nothing else."""
    role = template.role_of(function)
    on = _on(template, role, action)
    without = {name: value for name, value in template.values.items() if name != parameter}
    assert sorted([*_on(deployed(**without), role, action), parameter]) == sorted(on)


def test_without_opscenter_tickets_have_no_permission_for_it(
    template: Template, deployed: Callable[..., Template]
) -> None:
    """The parameter adds the permission."""
    without = {name: value for name, value in template.values.items() if name != "TicketSystem"}
    assert "ssm:CreateOpsItem" in template.allowed("OpenTicketRole")
    assert "ssm:CreateOpsItem" not in deployed(**without).allowed("OpenTicketRole")


def test_with_security_hub_the_ticket_role_may_import_read_and_comment_findings(
    template: Template, deployed: Callable[..., Template]
) -> None:
    """Besides what it may do with OpsItems, or in place of it. It can import only findings of the account itself."""
    without = deployed(**{**template.values, "ImportToSecurityHub": "false"})
    other = deployed(**{**without.values, "TicketSystem": "securityhub"})
    before, both, after = (one.allowed("OpenTicketRole") for one in (without, template, other))
    assert both - before == after - before == uses("delivery/tickets/security_hub/system")
    assert before - after == uses("delivery/tickets/ops_item/system")
    assert before < both
    for one in (template, other):
        (statement,) = [found for found in one.statements("OpenTicketRole") if found["Sid"] == "ImportFindings"]
        assert str(statement["Resource"]).endswith(":product/${AWS::AccountId}/default'}")


def test_with_security_hub_the_ticket_role_may_write_only_the_note_of_a_finding(
    template: Template,
) -> None:
    """Each other field of the request is denied: none of them may be in it.

    A key has the path of a field, that of a map `key` or `value`, as in AWSSystemsManagerOpsDataSyncServiceRolePolicy.
    """
    request = boto3.client("securityhub", region_name="us-east-1").meta.service_model.operation_model(
        "BatchUpdateFindings"
    )
    members = dict(request.input_shape.members)
    assert {"FindingIdentifiers", "Note", "Types"} <= members.keys()
    del members["FindingIdentifiers"], members["Note"]
    fields = set()
    for name, shape in members.items():
        parts = ("key", "value") if shape.type_name == "map" else tuple(getattr(shape, "members", ()))
        fields |= {f"{name}.{part}" for part in parts} or {name}
    (statement,) = [one for one in template.statements("OpenTicketRole") if one["Sid"] == "CommentFindings"]
    denied = {f"securityhub:ASFFSyntaxPath/{field}": "true" for field in fields}
    assert statement["Condition"] == {"Null": denied}


@pytest.mark.parametrize("system", [one for one in TICKET_SYSTEMS if one not in ("none", "opsitem")])
def test_another_ticket_system_has_no_permission_for_ops_items(
    template: Template, deployed: Callable[..., Template], system: str
) -> None:
    """Each system has its own permissions only."""
    other = deployed(**{**template.values, "TicketSystem": system})
    assert not {action for action in other.allowed(other.role_of("OpenTicketFunction")) if action.startswith("ssm:")}


@pytest.mark.parametrize(
    "without", [{"InvokeEventsLogGroupArn": ""}, {"FixMode": "off"}], ids=["no-log-group", "no-plans"]
)
def test_the_fixer_reads_data_events_only_if_it_plans_and_a_log_group_has_them(
    template: Template, deployed: Callable[..., Template], without: dict[str, str]
) -> None:
    """What other readers of the role call stays."""
    added = INVOKE_EVENTS - {"logs:DescribeLogGroups"}
    assert {action.split(":")[0] for action in added} == {"cloudtrail", "logs"}
    assert added <= template.allowed("ApplyFixRole")
    assert added.isdisjoint(deployed(**{**template.values, **without}).allowed("ApplyFixRole"))
    with_plans = {**template.values, "FixMode": "plan"}
    assert added <= deployed(**with_plans).allowed("ApplyFixRole")


def test_only_lambda_may_assume_the_roles_of_functions(template: Template) -> None:
    """Users and other services must not assume them. EventBridge Scheduler only for this account."""
    for name, role in template.of_type("AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = ROLES_OF_SERVICES.get(name, "lambda")
        assert ("Condition" in statement) is (service == "scheduler")
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
