"""Reading functions: every page, every qualifier and every failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.readers.functions import MEMBERS_OF_FEATURES, FunctionReader
from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import EventInvokeConfig, Function, ResourcePolicy, Snapshot, Unread
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.features import OPTIONAL_FEATURES
from permission_guard.rules.execution_role.feature_permission_missing import FeaturePermissionMissing
from tests.fakes import ACCOUNT, FUNCTION_ARN, MAPPING_UUID, OTHER, QUEUE_ARN, ROLE_ARN, TARGET, a_role
from tests.unit.aws.conftest import Answers

CONFIGURATION = {"FunctionName": "orders", "FunctionArn": FUNCTION_ARN, "Role": ROLE_ARN, "Timeout": 3}
THROTTLED = "TooManyRequestsException"


def policy(sid: str) -> dict[str, Any]:
    """Return a GetPolicy reply."""
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
    }
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}), "RevisionId": f"revision-{sid}"}


def mapping(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return an entry of ListEventSourceMappings."""
    uuid = MAPPING_UUID[:-1] + str(number)
    return {"UUID": uuid, "FunctionArn": FUNCTION_ARN, "EventSourceArn": QUEUE_ARN, "State": "Enabled", **more}


# ── A function ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_function_is_read_with_its_role_and_configuration(lambda_answers: Answers) -> None:
    """The name is that of the function even if a version was requested."""
    lambda_answers.say("get_function_configuration", CONFIGURATION, FunctionName=f"{FUNCTION_ARN}:live")
    function = FunctionReader(lambda_answers.client).function(f"{FUNCTION_ARN}:live")
    assert isinstance(function, Function)
    assert (function.arn, function.name, function.role_arn) == (f"{FUNCTION_ARN}:live", "orders", ROLE_ARN)
    assert function.configuration["Timeout"] == 3
    assert function.dropped == ()


def test_the_values_of_environment_variables_go_no_further(lambda_answers: Answers) -> None:
    """The values may be secrets, and no rule needs them."""
    secret = {"Variables": {"PASSWORD": "hunter2"}}
    lambda_answers.say("get_function_configuration", {**CONFIGURATION, "Environment": secret})
    assert "hunter2" not in repr(FunctionReader(lambda_answers.client).function(FUNCTION_ARN))


def test_the_features_that_the_sdk_does_not_know_are_unread_and_not_absent(
    lambda_answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older SDK drops their members from the reply, so that the function seems not to use them."""
    model = lambda_answers.client.meta.service_model.operation_model("GetFunctionConfiguration")
    shape = model.output_shape
    known = {name: member for name, member in shape.members.items() if name != "DurableConfig"}
    monkeypatch.setattr(shape, "members", known)
    monkeypatch.setattr(type(model), "output_shape", shape)
    lambda_answers.say("get_function_configuration", CONFIGURATION)
    function = FunctionReader(lambda_answers.client).function(FUNCTION_ARN)
    assert isinstance(function, Function)
    assert function.dropped == ("DurableConfig",)
    snapshot = Snapshot(TARGET, function, versions={FUNCTION_ARN: function}, roles={ROLE_ARN: a_role()})
    (verdict,) = evaluate(snapshot, [FeaturePermissionMissing(TrustSet(frozenset()))]).verdicts
    assert (verdict.outcome, verdict.subject) == (Outcome.UNKNOWN, "feature/durable-execution")
    assert "older than DurableConfig: update boto3" in verdict.reason


def test_the_reader_knows_the_members_of_every_feature() -> None:
    """Those that an SDK can drop."""
    assert set(MEMBERS_OF_FEATURES) == {feature.member for feature in OPTIONAL_FEATURES}


def test_a_function_that_does_not_exist_is_none(lambda_answers: Answers) -> None:
    """The function was deleted, which is no error."""
    lambda_answers.fail("get_function_configuration", "ResourceNotFoundException", status=404)
    assert FunctionReader(lambda_answers.client).function(FUNCTION_ARN) is None


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), (THROTTLED, False)])
def test_a_failed_read_of_a_function_has_its_action_and_error_code(
    lambda_answers: Answers, code: str, denied: bool
) -> None:
    """The action names the missing permission."""
    lambda_answers.fail("get_function_configuration", code)
    assert FunctionReader(lambda_answers.client).function(FUNCTION_ARN) == Unread(
        "lambda:GetFunctionConfiguration", code, "no", denied=denied
    )


# ── Resource policies ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_policies_of_the_function_its_aliases_and_versions_are_read(lambda_answers: Answers) -> None:
    """Each qualifier has its own. $LATEST has none, and qualifiers without a policy are skipped."""
    say, version = lambda_answers.say, {"FunctionName": "orders", "FunctionArn": FUNCTION_ARN, "Role": ROLE_ARN}
    versions = "list_versions_by_function"
    say("list_aliases", {"Aliases": [{"Name": "live"}], "NextMarker": "2"}, FunctionName=FUNCTION_ARN)
    say("list_aliases", {"Aliases": [{"Name": "beta"}]}, FunctionName=FUNCTION_ARN, Marker="2")
    say(versions, {"Versions": [{**version, "Version": "$LATEST"}], "NextMarker": "2"}, FunctionName=FUNCTION_ARN)
    say(versions, {"Versions": [{**version, "Version": "1"}]}, FunctionName=FUNCTION_ARN, Marker="2")
    say("get_policy", policy("a"), FunctionName=FUNCTION_ARN)
    say("get_policy", policy("b"), FunctionName=FUNCTION_ARN, Qualifier="live")
    lambda_answers.fail("get_policy", "ResourceNotFoundException", status=404)
    say("get_policy", policy("c"), FunctionName=FUNCTION_ARN, Qualifier="1")
    found = FunctionReader(lambda_answers.client).resource_policies(TARGET)
    assert all(isinstance(item, ResourcePolicy) for item in found)
    read = [item for item in found if isinstance(item, ResourcePolicy)]
    assert [(item.qualifier, item.resource_arn) for item in read] == [
        (None, FUNCTION_ARN),
        ("live", f"{FUNCTION_ARN}:live"),
        ("1", f"{FUNCTION_ARN}:1"),
    ]
    assert [item.document.statements[0].sid for item in read] == ["a", "b", "c"]


def test_failed_reads_are_kept_among_the_policies(lambda_answers: Answers) -> None:
    """Here the aliases are denied and the versions throttled. The function's own policy is still useful."""
    lambda_answers.fail("list_aliases", "AccessDeniedException")
    lambda_answers.fail("list_versions_by_function", THROTTLED)
    lambda_answers.say("get_policy", policy("a"))
    own, aliases, versions = FunctionReader(lambda_answers.client).resource_policies(TARGET)
    assert isinstance(own, ResourcePolicy)
    assert aliases == Unread("lambda:ListAliases", "AccessDeniedException", "no", denied=True)
    assert versions == Unread("lambda:ListVersionsByFunction", THROTTLED, "no", denied=False)


def test_an_unread_policy_is_not_a_missing_policy(lambda_answers: Answers) -> None:
    """An unread policy makes the outcome unknown; a missing one allows nothing."""
    lambda_answers.say("list_aliases", {"Aliases": []})
    lambda_answers.say("list_versions_by_function", {"Versions": []})
    lambda_answers.fail("get_policy", "AccessDeniedException")
    (own,) = FunctionReader(lambda_answers.client).resource_policies(TARGET)
    assert own == Unread("lambda:GetPolicy", "AccessDeniedException", "no", denied=True)


def test_a_function_deleted_while_its_policies_are_read_has_none(lambda_answers: Answers) -> None:
    """A deleted function has nothing to check."""
    for operation in ("list_aliases", "list_versions_by_function", "get_policy"):
        lambda_answers.fail(operation, "ResourceNotFoundException", status=404)
    assert FunctionReader(lambda_answers.client).resource_policies(TARGET) == ()


# ── Event source mappings ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_mappings_of_the_account_are_read_from_every_page(lambda_answers: Answers) -> None:
    """The list is for all functions: only then it is sure to have the mappings of aliases and versions."""
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:{MAPPING_UUID}"
    first = mapping(1, StateTransitionReason="USER_INITIATED", LastProcessingResult="OK", EventSourceMappingArn=arn)
    other = mapping(2, FunctionArn=f"{OTHER.arn}:7")
    lambda_answers.say("list_event_source_mappings", {"EventSourceMappings": [first, other], "NextMarker": "2"})
    kafka = {"UUID": MAPPING_UUID, "FunctionArn": f"{FUNCTION_ARN}:live", "SelfManagedEventSource": {}}
    lambda_answers.say("list_event_source_mappings", {"EventSourceMappings": [kafka]}, Marker="2")
    mappings = FunctionReader(lambda_answers.client).mappings()
    assert not isinstance(mappings, Unread)
    assert mappings.keys() == {FUNCTION_ARN, OTHER.arn}
    assert [each.function_arn for each in mappings[OTHER.arn]] == [f"{OTHER.arn}:7"]
    queue, stream = mappings[FUNCTION_ARN]
    assert (queue.event_source_arn, queue.state, queue.arn) == (QUEUE_ARN, "Enabled", arn)
    assert (queue.state_transition_reason, queue.last_processing_result) == ("USER_INITIATED", "OK")
    assert (stream.event_source_arn, stream.state, stream.last_processing_result) == (None, "", "")
    assert stream.function_arn == f"{FUNCTION_ARN}:live"
    assert stream.configuration["SelfManagedEventSource"] == {}


def test_mappings_are_listed_without_naming_a_function() -> None:
    """AWS does not document what a list for the unqualified function leaves out."""
    answers = Answers("lambda")
    asked: list[dict[str, Any]] = []
    answers.client.meta.events.register("provide-client-params.lambda.*", lambda params, **_more: asked.append(params))
    answers.say("list_event_source_mappings", {"EventSourceMappings": []})
    assert FunctionReader(answers.client).mappings() == {}
    assert asked == [{}]


@pytest.mark.parametrize("code", [THROTTLED, "ResourceNotFoundException"])
def test_an_incomplete_list_of_mappings_is_unread(lambda_answers: Answers, code: str) -> None:
    """A partial list would resolve the findings of the missing mappings."""
    lambda_answers.say("list_event_source_mappings", {"EventSourceMappings": [mapping()], "NextMarker": "2"})
    lambda_answers.fail("list_event_source_mappings", code)
    mappings = FunctionReader(lambda_answers.client).mappings()
    assert isinstance(mappings, Unread)
    assert (mappings.action, mappings.code, mappings.denied) == ("lambda:ListEventSourceMappings", code, False)


# ── Destinations of asynchronous invocations ────────────────────────────────────────────────────────────────────────


def destinations(success: str = "", failure: str = "") -> dict[str, Any]:
    """Return the destinations of a configuration."""
    named = {"OnSuccess": success, "OnFailure": failure}
    return {"DestinationConfig": {name: {"Destination": arn} for name, arn in named.items() if arn}}


def test_the_destinations_of_a_function_and_its_versions_are_read_on_every_page(lambda_answers: Answers) -> None:
    """AWS names the function itself `$LATEST`. A configuration may have retries only."""
    pages: list[dict[str, Any]] = [
        {
            "FunctionEventInvokeConfigs": [
                {"FunctionArn": f"{FUNCTION_ARN}:$LATEST", **destinations("arn:aws:sns:bus", QUEUE_ARN)},
                {"FunctionArn": f"{FUNCTION_ARN}:live", **destinations(failure=QUEUE_ARN)},
            ],
            "NextMarker": "more",
        },
        {"FunctionEventInvokeConfigs": [{"FunctionArn": f"{FUNCTION_ARN}:7", "MaximumRetryAttempts": 0}]},
    ]
    lambda_answers.say("list_function_event_invoke_configs", pages[0], FunctionName=FUNCTION_ARN)
    lambda_answers.say("list_function_event_invoke_configs", pages[1], FunctionName=FUNCTION_ARN, Marker="more")
    assert FunctionReader(lambda_answers.client).invoke_configs(TARGET) == (
        EventInvokeConfig(FUNCTION_ARN, "arn:aws:sns:bus", QUEUE_ARN),
        EventInvokeConfig(f"{FUNCTION_ARN}:live", "", QUEUE_ARN),
        EventInvokeConfig(f"{FUNCTION_ARN}:7"),
    )


def test_a_function_deleted_meanwhile_has_no_destinations(lambda_answers: Answers) -> None:
    """The function still existed when its configuration was read."""
    lambda_answers.fail("list_function_event_invoke_configs", "ResourceNotFoundException")
    assert FunctionReader(lambda_answers.client).invoke_configs(TARGET) == ()


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), (THROTTLED, False)])
def test_destinations_that_cannot_be_read_are_unread(lambda_answers: Answers, code: str, denied: bool) -> None:
    """Unread destinations must not count as no destinations."""
    lambda_answers.fail("list_function_event_invoke_configs", code)
    unread = Unread("lambda:ListFunctionEventInvokeConfigs", code, "no", denied=denied)
    assert FunctionReader(lambda_answers.client).invoke_configs(TARGET) == unread


# ── Tags ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("reply", "tags"), [({"Tags": {"team": "orders"}}, {"team": "orders"}), ({}, {})])
def test_tags_are_read(lambda_answers: Answers, reply: dict[str, Any], tags: dict[str, str]) -> None:
    """A function without tags has an empty set, which is not unread."""
    lambda_answers.say("list_tags", reply, Resource=FUNCTION_ARN)
    assert FunctionReader(lambda_answers.client).tags(TARGET) == tags


@pytest.mark.parametrize(("code", "denied"), [("AccessDeniedException", True), ("ResourceNotFoundException", False)])
def test_tags_that_cannot_be_read_are_unread(lambda_answers: Answers, code: str, denied: bool) -> None:
    """A guard of the fixes depends on the tags, so unread must not count as untagged."""
    lambda_answers.fail("list_tags", code)
    tags = FunctionReader(lambda_answers.client).tags(TARGET)
    assert isinstance(tags, Unread)
    assert (tags.action, tags.code, tags.denied) == ("lambda:ListTags", code, denied)


# ── All functions ───────────────────────────────────────────────────────────────────────────────────────────────────

OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/invoices-role"


def configuration(name: str, role: str = ROLE_ARN) -> dict[str, Any]:
    """Return an entry of ListFunctions."""
    return {"FunctionName": name, "FunctionArn": FUNCTION_ARN.replace("orders", name), "Role": role}


def two_pages(answers: Answers) -> None:
    """Answer ListFunctions in two pages."""
    page = [configuration("orders"), configuration("invoices", OTHER_ROLE)]
    answers.say("list_functions", {"Functions": page, "NextMarker": "2"})
    page = [configuration("returns", ROLE_ARN), configuration("guest", ROLE_ARN.replace(ACCOUNT, "111122223333"))]
    answers.say("list_functions", {"Functions": page}, Marker="2")


def test_all_functions_are_listed_from_every_page_with_their_roles(lambda_answers: Answers) -> None:
    """A role is identified by account and name; its path is ignored."""
    two_pages(lambda_answers)
    found = dict(FunctionReader(lambda_answers.client).roles_of_functions())
    assert {target.name: (role.account, role.name) for target, role in found.items()} == {
        "orders": (ACCOUNT, "orders-role"),
        "invoices": (ACCOUNT, "invoices-role"),
        "returns": (ACCOUNT, "orders-role"),
        "guest": ("111122223333", "orders-role"),
    }


def test_a_failed_list_of_functions_is_an_error(lambda_answers: Answers) -> None:
    """A partial list must not be taken for the whole."""
    lambda_answers.say("list_functions", {"Functions": [configuration("orders")], "NextMarker": "2"})
    lambda_answers.fail("list_functions", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        list(FunctionReader(lambda_answers.client).roles_of_functions())


# ── Function URLs ───────────────────────────────────────────────────────────────────────────────────────────────────


def url_config(arn: str, auth_type: str) -> dict[str, Any]:
    """Return an entry of ListFunctionUrlConfigs."""
    times = {"CreationTime": "2026-11-20T09:30:00Z", "LastModifiedTime": "2026-11-20T09:30:00Z"}
    return {
        "FunctionUrl": "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/",
        "FunctionArn": arn,
        "AuthType": auth_type,
        **times,
    }


def test_the_urls_of_a_function_and_of_its_aliases_are_read_on_every_page(lambda_answers: Answers) -> None:
    """The qualifier is the alias, or None for the function itself."""
    first = {"FunctionUrlConfigs": [url_config(FUNCTION_ARN, "NONE")], "NextMarker": "more"}
    second = {"FunctionUrlConfigs": [url_config(f"{FUNCTION_ARN}:live", "AWS_IAM")]}
    lambda_answers.say("list_function_url_configs", first, FunctionName=FUNCTION_ARN)
    lambda_answers.say("list_function_url_configs", second, FunctionName=FUNCTION_ARN, Marker="more")
    urls = FunctionReader(lambda_answers.client).function_urls(TARGET)
    assert not isinstance(urls, Unread)
    assert [(url.qualifier, url.auth_type) for url in urls] == [(None, "NONE"), ("live", "AWS_IAM")]


def test_a_function_deleted_meanwhile_has_no_urls(lambda_answers: Answers) -> None:
    """The deletion is no error."""
    lambda_answers.fail("list_function_url_configs", "ResourceNotFoundException", status=404)
    assert FunctionReader(lambda_answers.client).function_urls(TARGET) == ()


def test_urls_whose_read_is_denied_are_unread(lambda_answers: Answers) -> None:
    """The rule reports the missing permission."""
    lambda_answers.fail("list_function_url_configs", "AccessDeniedException", status=403)
    urls = FunctionReader(lambda_answers.client).function_urls(TARGET)
    assert isinstance(urls, Unread)
    assert urls.action == "lambda:ListFunctionUrlConfigs"
