"""The rules' patterns: which event reaches which queue, matched as in EventBridge.

The matcher is moto's; the first tests check the behaviour that these patterns need.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import get_session
from moto.events.models import EventPattern

from permission_guard.aws.tables.finding_items import FINDING_PREFIX
from permission_guard.bus.events import SOURCE
from permission_guard.errors import UnknownEventError
from permission_guard.intake.cloudtrail import _APIS, IAM, LAMBDA, targets_of_record
from permission_guard.intake.cloudtrail_record import parse_record
from permission_guard.model.findings import Transition
from permission_guard.model.targets import Direction
from tests.paths import REPOSITORY
from tests.template.sam_template import Template, referred

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = REPOSITORY / "events"
ACCOUNT = "123456789012"
SUFFIXES = ("", "20150331", "20150331v2")
CHECKER = {Direction.INVOKE_POLICY: "CheckInvokePolicyFunction", Direction.EXECUTION_ROLE: "CheckExecutionRoleFunction"}
SERVICE_EVENTS = {name for (_, name), row in _APIS.items() if not row.is_call}
SENDERS = {"SendAlertFunction", "OpenTicketFunction", "ApplyFixFunction"}


def matches(pattern: Any, event: Any) -> bool:
    """Match as EventBridge does; the stack's account is the one of the sample data."""
    if pattern.get("account") == [{"Ref": "AWS::AccountId"}]:
        pattern = {**pattern, "account": [ACCOUNT]}
    return bool(EventPattern(json.dumps(pattern), pattern).matches_event(event))


def call(
    event_source: str, event_name: str, source: str | None = None, account: str = "123456789012"
) -> dict[str, Any]:
    """Return an event of the default bus with the fields that the patterns match."""
    return {
        "account": account,
        "source": source or f"aws.{event_source.split('.', maxsplit=1)[0]}",
        "detail-type": f"AWS {'Service Event' if event_name in SERVICE_EVENTS else 'API Call'} via CloudTrail",
        "detail": {"eventSource": event_source, "eventName": event_name, "errorCode": None},
    }


def queues_of(template: Template, function: str) -> set[str]:
    """Return the queues that are a function's event sources."""
    return {referred(event["Properties"]["Queue"]) for event in template.functions[function]["Events"].values()}


def rules_of(template: Template, function: str) -> dict[str, Any]:
    """Return the patterns of the rules that feed a function's queues, by logical id."""
    queues = queues_of(template, function)
    return {
        name: rule["EventPattern"]
        for name, rule in template.of_type("AWS::Events::Rule").items()
        if referred(rule["Targets"][0]["Arn"]) in queues and rule.get("State", "ENABLED") == "ENABLED"
    }


def own_rules_of(template: Template, function: str) -> dict[str, Any]:
    """Return those for the events of this bot: all but that for the events of Security Hub."""
    return {name: one for name, one in rules_of(template, function).items() if name != "SecurityHubEvents"}


def reaches(template: Template, function: str, event: Any) -> bool:
    """Return whether an event reaches a function's queue."""
    return any(matches(pattern, event) for pattern in rules_of(template, function).values())


def operations(service: str) -> list[str]:
    """Return every operation of a service that the SDK knows."""
    return list(get_session().get_service_model(service).operation_names)


# ── The matcher ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event_name", "is_match"),
    [
        ("AddPermission", True),
        ("AddPermission20150331v2", True),
        ("addpermission", False),
        ("AddLayerVersionPermission", False),
        ("XAddPermission", False),
        ("", False),
    ],
)
def test_the_matcher_knows_prefixes(event_name: str, *, is_match: bool) -> None:
    """A prefix is case-sensitive."""
    pattern = {"detail": {"eventName": [{"prefix": "AddPermission"}]}}
    assert matches(pattern, {"detail": {"eventName": event_name}}) is is_match


def test_the_matcher_requires_every_field_and_one_value_of_each_list() -> None:
    """Fields are combined with AND, the values of a list with OR."""
    pattern = {"source": ["a", "b"], "detail": {"eventName": ["c"]}}
    assert matches(pattern, {"source": "b", "detail": {"eventName": "c", "more": 1}})
    assert not matches(pattern, {"source": "b", "detail": {"eventName": "d"}})
    assert not matches(pattern, {"source": "c", "detail": {"eventName": "c"}})
    assert not matches(pattern, {"source": "a", "detail": {}})


# ── From CloudTrail to the checkers ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direction", Direction)
def test_every_api_that_concerns_a_checker_reaches_its_queue(template: Template, direction: Direction) -> None:
    """Lambda's API names have version suffixes; IAM's have none."""
    lost = [
        name + suffix
        for (source, name), row in _APIS.items()
        if direction in row.directions
        for suffix in (SUFFIXES if source == LAMBDA else ("",))
        if not reaches(template, CHECKER[direction], call(source, name + suffix))
    ]
    assert lost == []


@pytest.mark.parametrize("function", CHECKER.values())
def test_every_call_that_reaches_a_checker_is_in_its_table(template: Template, function: str) -> None:
    """Otherwise a prefix that matches other APIs would fill the dead-letter queue."""
    reached = {
        (source, name)
        for source, service in ((LAMBDA, "lambda"), (IAM, "iam"))
        for name in operations(service)
        for suffix in SUFFIXES
        if reaches(template, function, call(source, name + suffix))
    }
    assert {LAMBDA} <= {source for source, _ in reached}
    assert reached - _APIS.keys() == set()


def test_every_api_of_the_table_reaches_a_checker(template: Template) -> None:
    """A row without a matching rule is dead code. APIs that never need a check must not match."""
    for (source, name), row in _APIS.items():
        assert (name in operations(source.split(".")[0])) is row.is_call, name
        reached = any(reaches(template, function, call(source, name)) for function in CHECKER.values())
        assert reached is (not row.never), name


@pytest.mark.parametrize("function", CHECKER.values())
@pytest.mark.parametrize("service", ["secretsmanager", "kinesis", "ecr", "s3", "dynamodb", "sts", "organizations"])
def test_the_same_call_to_another_service_reaches_no_checker(template: Template, function: str, service: str) -> None:
    """PutResourcePolicy exists in many services, so the patterns match the event source."""
    for _, name in _APIS:
        event_source = f"{service}.amazonaws.com"
        assert not reaches(template, function, call(event_source, name))
        assert not reaches(template, function, call(event_source, name, source="aws.lambda"))
        assert not reaches(template, function, call(event_source, name, source="aws.iam"))
        for source in (LAMBDA, IAM):
            assert not reaches(template, function, call(source, name, source=f"aws.{service}"))


@pytest.mark.parametrize("path", sorted((EVENTS / "cloudtrail").glob("*.json")), ids=lambda path: str(path.stem))
def test_every_sample_with_a_target_reaches_its_checker(template: Template, path: Any) -> None:
    """Patterns and table agree on complete events too: an event that reaches no checker has no target."""
    event = json.loads(path.read_text())
    for direction, function in CHECKER.items():
        try:
            targets = targets_of_record(parse_record(event), direction).targets
        except UnknownEventError:
            continue
        if targets:
            assert reaches(template, function, event)


def test_events_that_change_no_permission_reach_no_checker(template: Template) -> None:
    """A user's policy is one example."""
    event = json.loads((EVENTS / "cloudtrail" / "put_resource_policy_of_a_secret.json").read_text())
    assert not any(reaches(template, function, event) for function in {*CHECKER.values(), *SENDERS})


@pytest.mark.parametrize(
    ("name", "directions"),
    [
        ("update_function_code", set(Direction)),
        ("update_function_code_unpublished", set(Direction)),
        ("publish_version", set(Direction)),
        ("update_alias", set(Direction)),
        ("create_policy_version", {Direction.EXECUTION_ROLE}),
        ("create_policy_version_not_default", {Direction.EXECUTION_ROLE}),
        ("set_default_policy_version", {Direction.EXECUTION_ROLE}),
        ("delete_policy_version", set()),
        ("delete_policy", set()),
    ],
)
def test_new_versions_reach_the_checkers_that_they_concern(
    template: Template, name: str, directions: set[Direction]
) -> None:
    """The checker decides whether a version has new code or a policy version is the default."""
    event = json.loads((EVENTS / "cloudtrail" / f"{name}.json").read_text())
    woken = {function for function in {*CHECKER.values(), *SENDERS} if reaches(template, function, event)}
    assert woken == {CHECKER[direction] for direction in directions}


def test_no_pattern_matches_more_apis_than_it_names(template: Template) -> None:
    """A prefix may match a longer API name too. The table has the only two such names."""
    longer = {
        (prefix, name)
        for rule in rules_of(template, CHECKER[Direction.INVOKE_POLICY]).values()
        for prefix in (pattern["prefix"] for pattern in rule["detail"]["eventName"])
        for name in operations("lambda")
        if name.startswith(prefix) and name != prefix
    }
    assert {prefix for prefix, _ in longer} == {"CreateFunction", "DeleteFunction"}
    assert {(LAMBDA, name) for _, name in longer} <= _APIS.keys()


@pytest.mark.parametrize(
    "name",
    [
        "create_event_source_mapping_denied_queue",
        "create_function_denied_role",
        "put_function_event_invoke_config_denied",
        "update_function_configuration_denied",
    ],
)
def test_failed_calls_reach_the_execution_role_checker(template: Template, name: str) -> None:
    """A call that AWS denied the role needs a check, so no pattern requires success."""
    event = json.loads((EVENTS / "cloudtrail" / f"{name}.json").read_text())
    assert event["detail"]["errorCode"]
    assert reaches(template, CHECKER[Direction.EXECUTION_ROLE], event)


@pytest.mark.parametrize("detail_type", ["AWS Service Event via CloudTrail", "AWS API Call via CloudTrail"])
def test_a_mapping_disabled_by_aws_reaches_only_the_execution_role_checker(
    template: Template, detail_type: str
) -> None:
    """AWS emits it as a service event; its documentation names a data event."""
    event = json.loads((EVENTS / "cloudtrail" / "lambda_esm_disabled.json").read_text())
    event["detail-type"] = detail_type
    assert reaches(template, CHECKER[Direction.EXECUTION_ROLE], event)
    assert not reaches(template, CHECKER[Direction.INVOKE_POLICY], event)


def test_other_service_events_reach_no_checker(template: Template) -> None:
    """Examples are a key rotation and future events of Lambda."""
    for source, name in (("kms", "RotateKey"), ("lambda", "SomethingNew")):
        event = call(f"{source}.amazonaws.com", name) | {"detail-type": "AWS Service Event via CloudTrail"}
        assert not any(reaches(template, function, event) for function in CHECKER.values())


@pytest.mark.parametrize(
    ("api", "directions"),
    [
        ("PutFunctionEventInvokeConfig", {Direction.EXECUTION_ROLE}),
        ("UpdateFunctionEventInvokeConfig", {Direction.EXECUTION_ROLE}),
        ("DeleteFunctionEventInvokeConfig", set(Direction)),  # it has the prefix of DeleteFunction
    ],
)
def test_destinations_are_checked_by_the_execution_role_checker(
    template: Template, api: str, directions: set[Direction]
) -> None:
    """The role has to allow sending to a destination."""
    reached = {direction for direction, function in CHECKER.items() if reaches(template, function, call(LAMBDA, api))}
    assert reached == directions


def test_rules_for_cloudtrail_are_on_the_default_bus(template: Template) -> None:
    """AWS services send their events only there."""
    rules = template.of_type("AWS::Events::Rule")
    for function in CHECKER.values():
        for name in rules_of(template, function):
            assert "EventBusName" not in rules[name], name


# ── From the bus to the senders ─────────────────────────────────────────────────────────────────────────────────────


def test_rules_for_the_senders_are_on_the_bus_of_findings(template: Template) -> None:
    """They match only events of this bot. One more rule has the events of Security Hub."""
    rules = template.of_type("AWS::Events::Rule")
    for function in SENDERS:
        ((name, pattern),) = own_rules_of(template, function).items()
        assert rules[name]["EventBusName"] == {"Ref": "FindingsBus"}
        assert pattern["source"] == [SOURCE]
        assert set(pattern["detail-type"]) <= set(Transition)


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("finding_opened", SENDERS),
        ("finding_resolved", {"SendAlertFunction", "OpenTicketFunction"}),
        ("fix_approved", {"ApplyFixFunction"}),
        ("fix_undo_requested", {"ApplyFixFunction"}),
    ],
)
def test_the_sample_events_reach_only_the_functions_that_they_concern(
    template: Template, name: str, functions: set[str]
) -> None:
    """Other functions must not be invoked."""
    event = json.loads((EVENTS / "bus" / f"{name}.json").read_text())
    assert {function for function in SENDERS if reaches(template, function, event)} == functions


def an_imported_finding(**changed: Any) -> Any:
    """Return the sample event of Security Hub with other values in its finding.

    The finding is not in its list: EventBridge looks into lists of objects, moto's matcher does not.
    """
    event = json.loads((EVENTS / "securityhub" / "finding_resolved.json").read_text())
    (finding,) = event["detail"]["findings"]
    event["detail"]["findings"] = finding | changed
    return event


@pytest.mark.parametrize(
    ("changed", "is_read"),
    [
        ({}, True),
        ({"Workflow": {"Status": "SUPPRESSED"}}, True),
        ({"Workflow": {"Status": "NEW"}}, False),
        ({"Workflow": {"Status": "NOTIFIED"}}, False),
        ({"RecordState": "ARCHIVED"}, False),
        ({"GeneratorId": "aws-foundational-security-best-practices/v/1.0.0/Lambda.1"}, False),
        ({"ProductArn": "arn:aws:securityhub:us-east-1::product/aws/guardduty"}, False),
        ({"ProductFields": {"permission-guard/has_comment": "true"}}, False),
        ({"ProductFields": {}}, False),
    ],
)
def test_a_finding_that_a_person_closed_in_security_hub_is_read(
    template: Template, changed: dict[str, Any], *, is_read: bool
) -> None:
    """What the bot itself imports does not match: it is open, archived, or has its comment."""
    pattern = template.of_type("AWS::Events::Rule")["SecurityHubEvents"]["EventPattern"]
    fields = pattern["detail"]["findings"]
    assert fields["ProductArn"][0]["Fn::Sub"].endswith(":product/${AWS::AccountId}/default")
    product = [an_imported_finding()["detail"]["findings"]["ProductArn"]]
    resolved = {**pattern, "detail": {"findings": {**fields, "ProductArn": product}}}
    assert matches(resolved, an_imported_finding(**changed)) is is_read


@pytest.mark.parametrize("function", ["SendAlertFunction", "OpenTicketFunction"])
def test_alerts_are_sent_for_every_transition_but_requests_of_people(template: Template, function: str) -> None:
    """What a person did needs no alert; a result does."""
    asked = {Transition.FIX_APPROVED, Transition.FIX_REJECTED, Transition.FIX_UNDO_REQUESTED}
    ((_, pattern),) = own_rules_of(template, function).items()
    assert set(pattern["detail-type"]) == set(Transition) - asked


def test_the_result_of_a_fix_never_starts_a_fix(template: Template) -> None:
    """Otherwise there would be a loop. A proposal does match: it may be applied in another mode."""
    ((_, pattern),) = rules_of(template, "ApplyFixFunction").items()
    assert set(pattern["detail-type"]) == {
        Transition.OPENED,
        Transition.REOPENED,
        Transition.FIX_PROPOSED,
        Transition.FIX_APPROVED,
        Transition.FIX_UNDO_REQUESTED,
    }


@pytest.mark.parametrize("direction", Direction)
def test_changes_in_other_accounts_reach_no_checker(template: Template, direction: Direction) -> None:
    """A bus may receive events of many accounts, but the bot can only read its own."""
    event = call(LAMBDA, "CreateFunction20150331")
    assert reaches(template, CHECKER[direction], event)
    assert not reaches(template, CHECKER[direction], call(LAMBDA, "CreateFunction20150331", account="999999999999"))


@pytest.mark.parametrize(
    ("parameter", "value", "function", "is_fed"),
    [
        ("FixMode", "off", "ApplyFixFunction", False),
        ("FixMode", "plan", "ApplyFixFunction", True),
        ("FixMode", "approve", "ApplyFixFunction", True),
        ("FixMode", "auto", "ApplyFixFunction", True),
        ("TicketSystem", "none", "OpenTicketFunction", False),
        ("TicketSystem", "opsitem", "OpenTicketFunction", True),
        ("ImportToSecurityHub", "true", "OpenTicketFunction", True),
    ],
)
def test_a_disabled_option_gets_no_events(
    deployed: Callable[..., Template], parameter: str, value: str, function: str, *, is_fed: bool
) -> None:
    """Its rule is disabled."""
    assert bool(rules_of(deployed(**{parameter: value}), function)) is is_fed


def test_only_findings_leave_the_table_through_the_outbox(template: Template) -> None:
    """Items of checks and fixes, and deletions, do not invoke the publisher."""
    (event,) = template.functions["PublishFindingsFunction"]["Events"].values()
    (only,) = event["Properties"]["FilterCriteria"]["Filters"]
    pattern = json.loads(only["Pattern"])
    records = json.loads((EVENTS / "stream" / "publish_findings.json").read_text())["Records"]
    assert all(matches(pattern, record) for record in records)
    record = records[0]
    for sort_key in ("CHECK#invoke_policy", "COUNT", FINDING_PREFIX.lower(), FINDING_PREFIX[:-1]):
        record["dynamodb"]["NewImage"]["sk"]["S"] = sort_key
        assert not matches(pattern, record), sort_key
    del record["dynamodb"]["NewImage"]
    assert not matches(pattern, record)
