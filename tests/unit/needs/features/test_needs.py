"""Each feature of a function: its needs, and the decision if one action is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.iam import EvalDecision, LambdaCall
from permission_guard.model.state import SourceState
from permission_guard.needs.decision import decide
from permission_guard.needs.features import FEATURES, OPTIONAL_FEATURES, needs_of
from tests.fakes import FUNCTION_ARN, THROTTLED, a_policy, a_role, allow
from tests.unit.needs.features.features_table import (
    ACCESS_POINT,
    CASES,
    FILE_SYSTEM,
    OWN_GROUP,
    S3_ACCESS_POINT,
    S3_FILE_SYSTEM,
    Case,
    Pair,
    a_function,
)

if TYPE_CHECKING:
    from permission_guard.needs.base import Need

MANAGED = json.loads(aws_managed_policies_data)
OF_FUNCTIONS = [feature for feature in FEATURES if feature.name in {case.feature for case in CASES.values()}]


def needs(case: Case) -> tuple[Need, ...]:
    """Return the needs of the case's feature, recommended or not."""
    (feature,) = [feature for feature in FEATURES if feature.name == case.feature]
    return feature.needs(a_function(case.configuration), case.sources)


def required(case: Case) -> list[Need]:
    """Return the needs that are not only recommended."""
    return [need for need in needs(case) if not need.recommended]


def outcome(need: Need, *documents: dict[str, Any], **role: Any) -> EvalDecision:
    """Return the decision on a need, if the resources have no policies of their own."""
    no_policies = dict.fromkeys((need.resource, *need.elsewhere))
    return decide(need, a_role(*documents, **role), FUNCTION_ARN, no_policies).decision


def granting(pairs: list[Pair], effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Return a policy with a statement for each action."""
    statements = [{"Effect": effect, "Action": action, "Resource": resource, **more} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def test_every_feature_has_a_case() -> None:
    """Except the dead-letter queue, which is a destination and has its tests in `test_destinations`."""
    assert {feature.name for feature in FEATURES} - {case.feature for case in CASES.values()} <= {"dead-letter queue"}
    assert {feature.name for feature in OPTIONAL_FEATURES} <= {case.feature for case in CASES.values()}


@pytest.mark.parametrize("name", CASES)
def test_each_feature_needs_these_actions_on_these_resources(name: str) -> None:
    """As AWS documents, with the call of each; recommended ones are separate."""
    case = CASES[name]
    assert [(need.action, need.resource) for need in required(case)] == case.needed
    assert [need.action for need in needs(case) if need.recommended] == case.recommended
    assert {bool(need.doubt) for need in required(case)} == {case.doubtful}
    assert {need.call for need in needs(case)} == {case.call}
    assert all(need.purpose.startswith("to ") and hash(need) for need in needs(case))


@pytest.mark.parametrize("name", CASES)
def test_nothing_else_is_needed_but_logs(name: str) -> None:
    """One feature does not enable another; only logs belong to every function."""
    case = CASES[name]
    found = needs_of(a_function(case.configuration), case.sources)
    others = [need for need in found if need not in needs(case)]
    assert {need.call for need in others} <= {LambdaCall.LOGS}


@pytest.mark.parametrize("name", CASES)
def test_a_role_with_exactly_the_needs_lacks_nothing(name: str) -> None:
    """And nothing is unknown."""
    case = CASES[name]
    assert {outcome(need, granting(case.needed)) for need in required(case)} == {EvalDecision.ALLOWED}


EACH = [(name, pair) for name, case in CASES.items() for pair in case.needed]


@pytest.mark.parametrize(("name", "pair"), EACH, ids=lambda value: value if isinstance(value, str) else value[0])
def test_each_removed_action_is_denied(name: str, pair: Pair) -> None:
    """One at a time, and no other; if the feature is possibly disabled, the outcome is unknown."""
    case = CASES[name]
    left = granting([one for one in case.needed if one != pair])
    without = EvalDecision.CONDITIONAL if case.doubtful else EvalDecision.IMPLICIT_DENY
    for need in required(case):
        wanted = without if (need.action, need.resource) == pair else EvalDecision.ALLOWED
        assert outcome(need, left) is wanted


@pytest.mark.parametrize(("name", "pair"), EACH, ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_deny_or_a_boundary_overrides_every_allow(name: str, pair: Pair) -> None:
    """A Deny of everything, and a boundary for another service."""
    case = CASES[name]
    (need,) = [need for need in required(case) if (need.action, need.resource) == pair]
    denied = outcome(need, allow("*"), granting([("*", "*")], "Deny"))
    bounded = outcome(need, allow("*"), boundary=a_policy(allow("sqs:*"), "limits"))
    assert denied is (EvalDecision.CONDITIONAL if case.doubtful else EvalDecision.EXPLICIT_DENY)
    assert bounded is (EvalDecision.CONDITIONAL if case.doubtful else EvalDecision.IMPLICIT_DENY)


@pytest.mark.parametrize("name", CASES)
def test_all_calls_but_those_on_network_interfaces_send_the_source_function_arn(name: str) -> None:
    """An Allow with that key covers them. Network interfaces are neither allowed nor denied by that key."""
    case = CASES[name]
    condition = {"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION_ARN}}
    narrowed = {outcome(need, granting(case.needed, Condition=condition)) for need in required(case)}
    code = granting([("*", "*")], "Deny", Condition=condition)
    denied = {outcome(need, granting(case.needed), code) for need in required(case)}
    if name == "vpc":
        assert (narrowed, denied) == ({EvalDecision.IMPLICIT_DENY}, {EvalDecision.ALLOWED})
    else:
        assert narrowed == {EvalDecision.ALLOWED}
        assert EvalDecision.ALLOWED not in denied


# ── AWS's managed policies ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CASES)
def test_the_managed_policy_of_a_feature_has_all_that_it_needs(name: str) -> None:
    """Attached alone, it allows every need."""
    case = CASES[name]
    (feature,) = [feature for feature in FEATURES if feature.name == case.feature]
    document = MANAGED[feature.managed_policy.rsplit("/", 1)[-1]]["Document"]
    assert {outcome(need, document) for need in required(case)} == {EvalDecision.ALLOWED}


def test_the_managed_policies_are_where_the_features_say() -> None:
    """Path and name, as ARNs spell them; no two features share one."""
    named = [feature.managed_policy for feature in OF_FUNCTIONS]
    assert len(set(named)) == len(named) == 8
    for policy in named:
        path, _, name = policy.rpartition("/")
        assert MANAGED[name]["Path"] == (f"/{path}/" if path else "/")


def test_a_recommended_need_is_missing_in_some_policy_of_aws() -> None:
    """Functions run with each of these policies, so only their actions can be required."""
    for name, policy in (
        ("vpc", "AWSLambdaENIManagementAccess"),
        ("efs", "AmazonElasticFileSystemClientReadOnlyAccess"),
    ):
        document = MANAGED[policy]["Document"]
        assert {outcome(need, document) for need in required(CASES[name])} == {EvalDecision.ALLOWED}


# ── What is not enabled ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "configuration",
    [
        {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}},
        {"TracingConfig": {"Mode": "PassThrough"}},
        {"SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}},
        {"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn"}}},
        {"Layers": [{"Arn": "arn:aws:lambda:us-east-1:123456789012:layer:MyLambdaInsightsExtension:1"}]},
        {"FileSystemConfigs": [], "Layers": [], "DurableConfig": None, "LoggingConfig": None},
        {"VpcConfig": "text", "TracingConfig": [], "Layers": "text", "FileSystemConfigs": [{"Arn": {"Ref": "Point"}}]},
    ],
)
def test_a_disabled_or_unresolved_feature_needs_nothing_but_logs(configuration: dict[str, Any]) -> None:
    """SnapStart requires nothing of the role; capacity providers have their own role."""
    found = needs_of(a_function(configuration), {OWN_GROUP: SourceState(exists=True)})
    assert {need.call for need in found} == {LambdaCall.LOGS}


# ── Log groups ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sources", [{}, {OWN_GROUP: THROTTLED}, {OWN_GROUP: SourceState()}])
def test_creating_a_log_group_has_a_doubt_if_its_state_was_not_read(sources: Any) -> None:
    """The need names what to read; no other need has a doubt."""
    (creating,) = [need for need in needs_of(a_function({}), sources) if need.doubt]
    assert (creating.action, creating.unread) == ("logs:CreateLogGroup", OWN_GROUP)
    assert outcome(creating) is EvalDecision.CONDITIONAL
    assert outcome(creating, allow(creating.action, resource=f"{OWN_GROUP}:*")) is EvalDecision.ALLOWED


def test_nothing_is_left_to_read_of_a_log_group_whose_state_was_read() -> None:
    """Whether it exists or not."""
    assert {need.unread for name in ("logs", "logs-first-time") for need in needs(CASES[name])} == {""}


@pytest.mark.parametrize(
    "resource", [f"{OWN_GROUP}:*", OWN_GROUP, f"{OWN_GROUP}:log-stream:*", f"{OWN_GROUP}*:*", "arn:aws:logs:*:*:*", "*"]
)
def test_any_form_of_its_arn_allows_creating_a_log_group(resource: str) -> None:
    """AWS's access denied errors name one, its documentation another."""
    (creating,) = [need for need in needs_of(a_function({})) if need.doubt]
    assert outcome(creating, allow(creating.action, resource=resource)) is EvalDecision.ALLOWED


@pytest.mark.parametrize("resource", [OWN_GROUP, f"{OWN_GROUP}-2:*", f"{OWN_GROUP}/", "arn:aws:logs:eu-west-1:*:*"])
def test_streams_require_more_than_the_name_of_the_group(resource: str) -> None:
    """Another group or another region does not match either."""
    for need in needs(CASES["logs"]):
        assert outcome(need, allow(need.action, resource=resource)) is EvalDecision.IMPLICIT_DENY


def test_the_log_group_has_the_function_s_name_without_its_version() -> None:
    """And its partition."""
    version = a_function({})
    arn = FUNCTION_ARN.replace("arn:aws:lambda:us-east-1", "arn:aws-cn:lambda:cn-north-1")
    moved = type(version)(f"{arn}:3", version.name, version.role_arn, {"LoggingConfig": {"LogGroup": ""}})
    resources = {need.resource.partition(":log-group:") for need in needs_of(moved)}
    assert {head for head, _, _ in resources} == {"arn:aws-cn:logs:cn-north-1:123456789012"}
    assert {name.partition(":")[0] for _, _, name in resources} == {"/aws/lambda/orders"}


# ── File systems ────────────────────────────────────────────────────────────────────────────────────────────────────


def mounting(state: Any) -> list[Need]:
    """Return the needs for mounting a file system with a state."""
    sources = {} if state is None else {ACCESS_POINT: state}
    return [
        need
        for need in needs_of(a_function(CASES["efs"].configuration), sources)
        if need.action.endswith("ClientMount")
    ]


def test_a_file_system_without_a_policy_needs_nothing() -> None:
    """It allows every client, so nothing is even recommended."""
    state = SourceState(uses_iam=False, file_system=FILE_SYSTEM)
    assert mounting(state) == []


@pytest.mark.parametrize("state", [None, THROTTLED, SourceState()])
def test_an_unread_file_system_can_require_iam_authorization(state: Any) -> None:
    """The file system is unknown too: the access point must be read."""
    (need,) = mounting(state)
    assert (need.resource, need.unread) == (FILE_SYSTEM.replace("fs-0123456789abcdef0", "*"), ACCESS_POINT)
    assert ACCESS_POINT in need.doubt
    assert outcome(need) is EvalDecision.CONDITIONAL
    assert outcome(need, allow(need.action)) is EvalDecision.ALLOWED


def test_a_file_system_is_named_if_it_is_known() -> None:
    """A policy for another one does not help."""
    (need,) = mounting(SourceState(uses_iam=True, file_system=FILE_SYSTEM))
    assert (need.doubt, need.unread) == ("", "")
    assert outcome(need, allow(need.action, resource=FILE_SYSTEM[:-1] + "1")) is EvalDecision.IMPLICIT_DENY
    (unnamed,) = mounting(SourceState(uses_iam=True))
    assert unnamed.unread == ACCESS_POINT


def test_policies_can_name_the_access_point() -> None:
    """In a condition for Amazon EFS, as a resource for Amazon S3 Files."""
    condition = {"StringEquals": {"elasticfilesystem:AccessPointArn": ACCESS_POINT}}
    (need,) = mounting(SourceState(uses_iam=True, file_system=FILE_SYSTEM))
    assert outcome(need, allow(need.action, Condition=condition)) is EvalDecision.ALLOWED
    (need,) = required(CASES["s3-files"])
    for resource in (S3_FILE_SYSTEM, S3_ACCESS_POINT):
        assert outcome(need, allow(need.action, resource=resource)) is EvalDecision.ALLOWED
    assert decide(need, a_role(), FUNCTION_ARN, {}).decision is EvalDecision.CONDITIONAL
