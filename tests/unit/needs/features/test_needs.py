"""Each feature of a function: what it needs, and what is said where one action is missing."""

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
    """Return what the case's feature needs, recommended or not."""
    (feature,) = [feature for feature in FEATURES if feature.name == case.feature]
    return feature.needs(a_function(case.configuration), case.sources)


def required(case: Case) -> list[Need]:
    """Return what it cannot do without."""
    return [need for need in needs(case) if not need.recommended]


def outcome(need: Need, *documents: dict[str, Any], **role: Any) -> EvalDecision:
    """Return the decision on a need, where the resources have no policies of their own."""
    silent = dict.fromkeys((need.resource, *need.elsewhere))
    return decide(need, a_role(*documents, **role), FUNCTION_ARN, silent).decision


def granting(pairs: list[Pair], effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Return a policy with a statement for each action."""
    statements = [{"Effect": effect, "Action": action, "Resource": resource, **more} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def test_every_feature_has_a_case() -> None:
    """But for the dead-letter queue, which is a destination and has tests beside those of destinations."""
    assert {feature.name for feature in FEATURES} - {case.feature for case in CASES.values()} <= {"dead-letter queue"}
    assert {feature.name for feature in OPTIONAL_FEATURES} <= {case.feature for case in CASES.values()}


@pytest.mark.parametrize("name", CASES)
def test_each_feature_needs_these_actions_on_these_resources(name: str) -> None:
    """What AWS documents, said by whoever calls; what is not missed is set apart."""
    case = CASES[name]
    assert [(need.action, need.resource) for need in required(case)] == case.needed
    assert [need.action for need in needs(case) if need.recommended] == case.recommended
    assert {bool(need.doubt) for need in required(case)} == {case.doubtful}
    assert {need.call for need in needs(case)} == {case.call}
    assert all(need.purpose.startswith("to ") and hash(need) for need in needs(case))


@pytest.mark.parametrize("name", CASES)
def test_nothing_else_is_needed_but_logs(name: str) -> None:
    """One feature does not turn on another; logs alone every function has."""
    case = CASES[name]
    found = needs_of(a_function(case.configuration), case.sources)
    others = [need for need in found if need not in needs(case)]
    assert {need.call for need in others} <= {LambdaCall.LOGS}


@pytest.mark.parametrize("name", CASES)
def test_a_role_with_exactly_the_needs_lacks_nothing(name: str) -> None:
    """And nothing is left open."""
    case = CASES[name]
    assert {outcome(need, granting(case.needed)) for need in required(case)} == {EvalDecision.ALLOWED}


EACH = [(name, pair) for name, case in CASES.items() for pair in case.needed]


@pytest.mark.parametrize(("name", "pair"), EACH, ids=lambda value: value if isinstance(value, str) else value[0])
def test_each_action_that_is_taken_away_is_missed_and_named(name: str, pair: Pair) -> None:
    """One at a time, and no other; where the feature may be off, nobody can tell."""
    case = CASES[name]
    left = granting([one for one in case.needed if one != pair])
    missed = EvalDecision.CONDITIONAL if case.doubtful else EvalDecision.IMPLICIT_DENY
    for need in required(case):
        wanted = missed if (need.action, need.resource) == pair else EvalDecision.ALLOWED
        assert outcome(need, left) is wanted


@pytest.mark.parametrize(("name", "pair"), EACH, ids=lambda value: value if isinstance(value, str) else value[0])
def test_what_is_denied_or_outside_the_boundary_is_missed_whatever_allows_it(name: str, pair: Pair) -> None:
    """A Deny of everything, and a boundary for something else."""
    case = CASES[name]
    (need,) = [need for need in required(case) if (need.action, need.resource) == pair]
    denied = outcome(need, allow("*"), granting([("*", "*")], "Deny"))
    bounded = outcome(need, allow("*"), boundary=a_policy(allow("sqs:*"), "limits"))
    assert denied is (EvalDecision.CONDITIONAL if case.doubtful else EvalDecision.EXPLICIT_DENY)
    assert bounded is (EvalDecision.CONDITIONAL if case.doubtful else EvalDecision.IMPLICIT_DENY)


@pytest.mark.parametrize("name", CASES)
def test_all_but_network_interfaces_are_asked_for_in_the_name_of_the_function(name: str) -> None:
    """An Allow for the function serves them, and not network interfaces, which a Deny of its code does not harm."""
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
def test_the_managed_policy_of_a_feature_is_all_that_it_needs(name: str) -> None:
    """Attached alone, it allows whatever is missed."""
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


def test_what_is_only_recommended_is_what_some_policy_of_aws_lacks() -> None:
    """Functions run with each of these, so that nothing else may be missed."""
    for name, policy in (
        ("vpc", "AWSLambdaENIManagementAccess"),
        ("efs", "AmazonElasticFileSystemClientReadOnlyAccess"),
    ):
        document = MANAGED[policy]["Document"]
        assert {outcome(need, document) for need in required(CASES[name])} == {EvalDecision.ALLOWED}


# ── What is not turned on ───────────────────────────────────────────────────────────────────────────────────────────


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
def test_what_is_off_or_left_open_needs_nothing_but_logs(configuration: dict[str, Any]) -> None:
    """SnapStart takes nothing of the role; capacity providers have a role of their own."""
    found = needs_of(a_function(configuration), {OWN_GROUP: SourceState(exists=True)})
    assert {need.call for need in found} == {LambdaCall.LOGS}


# ── Log groups ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sources", [{}, {OWN_GROUP: THROTTLED}, {OWN_GROUP: SourceState()}])
def test_making_a_log_group_is_doubtful_where_nobody_read_whether_it_is_there(sources: Any) -> None:
    """What to read is named; what is certain is not in doubt."""
    (making,) = [need for need in needs_of(a_function({}), sources) if need.doubt]
    assert (making.action, making.unread) == ("logs:CreateLogGroup", OWN_GROUP)
    assert outcome(making) is EvalDecision.CONDITIONAL
    assert outcome(making, allow(making.action, resource=f"{OWN_GROUP}:*")) is EvalDecision.ALLOWED


def test_nothing_is_left_to_read_of_a_log_group_that_was_looked_for() -> None:
    """Found or not."""
    assert {need.unread for name in ("logs", "logs-first-time") for need in needs(CASES[name])} == {""}


@pytest.mark.parametrize(
    "resource", [f"{OWN_GROUP}:*", OWN_GROUP, f"{OWN_GROUP}:log-stream:*", f"{OWN_GROUP}*:*", "arn:aws:logs:*:*:*", "*"]
)
def test_a_log_group_is_made_by_whichever_form_of_its_arn(resource: str) -> None:
    """AWS's refusals name one, its documentation another."""
    (making,) = [need for need in needs_of(a_function({})) if need.doubt]
    assert outcome(making, allow(making.action, resource=resource)) is EvalDecision.ALLOWED


@pytest.mark.parametrize("resource", [OWN_GROUP, f"{OWN_GROUP}-2:*", f"{OWN_GROUP}/", "arn:aws:logs:eu-west-1:*:*"])
def test_streams_take_more_than_the_name_of_the_group(resource: str) -> None:
    """And no other group, nor another region."""
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
    """Return what it takes to mount a file system of which something was read."""
    sources = {} if state is None else {ACCESS_POINT: state}
    return [
        need
        for need in needs_of(a_function(CASES["efs"].configuration), sources)
        if need.action.endswith("ClientMount")
    ]


def test_a_file_system_without_a_policy_lets_everybody_in() -> None:
    """Nothing is needed then, not even recommended."""
    state = SourceState(uses_iam=False, file_system=FILE_SYSTEM)
    assert mounting(state) == []


@pytest.mark.parametrize("state", [None, THROTTLED, SourceState()])
def test_a_file_system_that_was_not_read_may_ask_for_iam(state: Any) -> None:
    """Which one it is nobody knows either: what to read is the access point."""
    (need,) = mounting(state)
    assert (need.resource, need.unread) == (FILE_SYSTEM.replace("fs-0123456789abcdef0", "*"), ACCESS_POINT)
    assert ACCESS_POINT in need.doubt
    assert outcome(need) is EvalDecision.CONDITIONAL
    assert outcome(need, allow(need.action)) is EvalDecision.ALLOWED


def test_a_file_system_is_named_where_it_is_known() -> None:
    """Another one in the policy does not help."""
    (need,) = mounting(SourceState(uses_iam=True, file_system=FILE_SYSTEM))
    assert (need.doubt, need.unread) == ("", "")
    assert outcome(need, allow(need.action, resource=FILE_SYSTEM[:-1] + "1")) is EvalDecision.IMPLICIT_DENY
    (unnamed,) = mounting(SourceState(uses_iam=True))
    assert unnamed.unread == ACCESS_POINT


def test_policies_may_name_the_access_point() -> None:
    """By a condition for Amazon EFS, as a resource for Amazon S3 Files."""
    condition = {"StringEquals": {"elasticfilesystem:AccessPointArn": ACCESS_POINT}}
    (need,) = mounting(SourceState(uses_iam=True, file_system=FILE_SYSTEM))
    assert outcome(need, allow(need.action, Condition=condition)) is EvalDecision.ALLOWED
    (need,) = required(CASES["s3-files"])
    for resource in (S3_FILE_SYSTEM, S3_ACCESS_POINT):
        assert outcome(need, allow(need.action, resource=resource)) is EvalDecision.ALLOWED
    assert decide(need, a_role(), FUNCTION_ARN, {}).decision is EvalDecision.CONDITIONAL
