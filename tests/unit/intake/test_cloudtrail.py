"""A CloudTrail record says where to look, and nothing else of it is believed."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.intake.cloudtrail import RecordTargets, targets_of_record
from permission_guard.intake.cloudtrail_record import event_id_of, parse_record
from permission_guard.model.targets import Direction, FunctionTarget, PolicyTarget, RoleTarget, Target
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = REPOSITORY / "events" / "cloudtrail"
MALFORMED = REPOSITORY / "events" / "malformed"

ORDERS = FunctionTarget("aws", "us-east-1", "123456789012", "orders")
ROLE = RoleTarget("123456789012", "orders-role")
POLICY = PolicyTarget("123456789012", "arn:aws:iam::123456789012:policy/shop/read-incoming-orders")

# What each record leads to, for the invoke policy and for the execution role: a target, or why there is none.
OTHER_SCOPE = "changes nothing that this checker reads"
FAILED = "the call did not succeed"
UNPUBLISHED = "the call published no version"
NOT_DEFAULT = "the new version is not the policy's default"
EXPECTED: dict[str, tuple[Target | str, Target | str]] = {
    "add_permission": (ORDERS, OTHER_SCOPE),
    "add_permission_denied": (f"{FAILED}: AccessDenied", OTHER_SCOPE),
    "add_permission_full_arn": (ORDERS, OTHER_SCOPE),
    "add_permission_partial_arn": (ORDERS, OTHER_SCOPE),
    "add_permission_qualifier": (ORDERS, OTHER_SCOPE),
    "attach_role_policy": (OTHER_SCOPE, ROLE),
    "create_alias": (ORDERS, ORDERS),
    "create_event_source_mapping": (OTHER_SCOPE, ORDERS),
    "create_event_source_mapping_alias": (OTHER_SCOPE, ORDERS),
    "create_event_source_mapping_denied_queue": (OTHER_SCOPE, ORDERS),
    "create_event_source_mapping_denied_secret": (OTHER_SCOPE, ORDERS),
    "create_event_source_mapping_denied_stream": (OTHER_SCOPE, ORDERS),
    "create_event_source_mapping_denied_timeout": (OTHER_SCOPE, f"{FAILED}: InvalidParameterValueException"),
    "create_function": (ORDERS, ORDERS),
    "create_function_denied": (f"{FAILED}: no response", f"{FAILED}: no response"),
    "create_function_failed": (f"{FAILED}: InvalidParameterValueException",) * 2,
    "create_function_published": (ORDERS, ORDERS),
    "create_function_denied_network": (f"{FAILED}: InvalidParameterValueException", ORDERS),
    "create_function_denied_role": (f"{FAILED}: InvalidParameterValueException", ORDERS),
    "create_function_url_config": (ORDERS, OTHER_SCOPE),
    "create_function_url_config_failed": (f"{FAILED}: ResourceConflictException", OTHER_SCOPE),
    "create_policy_version": (OTHER_SCOPE, POLICY),
    "create_policy_version_denied": (OTHER_SCOPE, f"{FAILED}: AccessDenied"),
    "create_policy_version_not_default": (OTHER_SCOPE, NOT_DEFAULT),
    "create_role": (OTHER_SCOPE, ROLE),
    "delete_alias": (ORDERS, ORDERS),
    "delete_event_source_mapping": (OTHER_SCOPE, ORDERS),
    "delete_function": (ORDERS, ORDERS),
    "delete_function_event_invoke_config": (OTHER_SCOPE, ORDERS),
    "delete_function_not_found": (f"{FAILED}: ResourceNotFoundException",) * 2,
    "delete_function_url_config": (ORDERS, OTHER_SCOPE),
    "delete_policy": ("IAM deletes no policy that is attached or used as a boundary",) * 2,
    "delete_policy_version": ("IAM deletes no version that is its policy's default",) * 2,
    "delete_resource_policy": (ORDERS, OTHER_SCOPE),
    "delete_role": (OTHER_SCOPE, ROLE),
    "delete_role_permissions_boundary": (OTHER_SCOPE, ROLE),
    "delete_role_policy": (OTHER_SCOPE, ROLE),
    "delete_role_policy_denied": (OTHER_SCOPE, f"{FAILED}: AccessDenied"),
    "detach_role_policy": (OTHER_SCOPE, ROLE),
    "function_of_another_account": ("the change is to account 999999999999, not to this one", OTHER_SCOPE),
    "lambda_esm_disabled": (OTHER_SCOPE, ORDERS),
    "lambda_esm_disabled_unnamed": (OTHER_SCOPE, "the record does not name the function of the mapping"),
    "publish_version": (ORDERS, ORDERS),
    "put_function_event_invoke_config": (OTHER_SCOPE, ORDERS),
    "put_function_event_invoke_config_denied": (OTHER_SCOPE, ORDERS),
    "put_resource_policy": (ORDERS, OTHER_SCOPE),
    "put_resource_policy_of_a_secret": ("secretsmanager.amazonaws.com is not watched",) * 2,
    "put_role_permissions_boundary": (OTHER_SCOPE, ROLE),
    "put_role_policy": (OTHER_SCOPE, ROLE),
    "remove_permission": (ORDERS, OTHER_SCOPE),
    "set_default_policy_version": (OTHER_SCOPE, POLICY),
    "tag_role": (OTHER_SCOPE, ROLE),
    "untag_role": (OTHER_SCOPE, ROLE),
    "update_alias": (ORDERS, ORDERS),
    "update_assume_role_policy": (OTHER_SCOPE, ROLE),
    "update_event_source_mapping": (OTHER_SCOPE, ORDERS),
    "update_event_source_mapping_failed": (OTHER_SCOPE, f"{FAILED}: ResourceInUseException"),
    "update_function_code": (ORDERS, ORDERS),
    "update_function_code_unpublished": (UNPUBLISHED, UNPUBLISHED),
    "update_function_configuration": (OTHER_SCOPE, ORDERS),
    "update_function_configuration_denied": (OTHER_SCOPE, ORDERS),
    "update_function_event_invoke_config": (OTHER_SCOPE, ORDERS),
    "update_function_url_config": (ORDERS, OTHER_SCOPE),
}
UNKNOWN = {"unknown_api"}


def event(name: str, folder: Path = CORPUS) -> Any:
    """Load a sample event, afresh, so that a test may change it."""
    return json.loads((folder / f"{name}.json").read_text())


def changed(name: str, **detail: Any) -> Any:
    """Load a sample event and change its record; None takes a part away."""
    sample = event(name)
    for key, value in detail.items():
        if value is None:
            sample["detail"].pop(key, None)
        else:
            sample["detail"][key] = value
    return sample


def look(sample: Any, direction: Direction = Direction.INVOKE_POLICY) -> RecordTargets:
    """Read an event and ask where to look."""
    return targets_of_record(parse_record(sample), direction)


def check(found: RecordTargets, expected: Target | str) -> None:
    """Expect a target, or none and a reason."""
    if isinstance(expected, str):
        assert found.targets == ()
        assert expected in found.reason
    else:
        assert found.targets == (expected,)
        assert found.reason == ""


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED)
def test_every_sample_leads_where_it_should(name: str, expected: tuple[Target | str, Target | str]) -> None:
    """For both scopes: the target, or none and the reason."""
    sample = event(name)
    for direction, outcome in zip((Direction.INVOKE_POLICY, Direction.EXECUTION_ROLE), expected, strict=True):
        found = look(sample, direction)
        assert found.event_id == sample["detail"]["eventID"]
        check(found, outcome)


def test_every_sample_has_its_expectation() -> None:
    """A sample that no test reads is a defect."""
    assert {path.stem for path in CORPUS.glob("*.json")} == EXPECTED.keys() | UNKNOWN


@pytest.mark.parametrize("name", sorted(UNKNOWN))
@pytest.mark.parametrize("direction", Direction)
def test_an_api_that_is_in_no_table_is_an_error_that_names_it(name: str, direction: Direction) -> None:
    """AWS may have added one that matters, so a person has to look."""
    sample = event(name)
    with pytest.raises(UnknownEventError, match=sample["detail"]["eventName"]):
        look(sample, direction)


# ── Names of events and functions ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("suffix", ["", "20150331", "20150331v2", "20260709", "20991231v10"])
@pytest.mark.parametrize(
    ("name", "api"),
    [
        ("add_permission", "AddPermission"),
        ("remove_permission", "RemovePermission"),
        ("put_resource_policy", "PutResourcePolicy"),
        ("delete_resource_policy", "DeleteResourcePolicy"),
        ("create_function", "CreateFunction"),
        ("delete_function", "DeleteFunction"),
        ("create_function_url_config", "CreateFunctionUrlConfig"),
        ("update_function_url_config", "UpdateFunctionUrlConfig"),
        ("delete_function_url_config", "DeleteFunctionUrlConfig"),
        ("create_alias", "CreateAlias"),
        ("update_alias", "UpdateAlias"),
        ("delete_alias", "DeleteAlias"),
        ("publish_version", "PublishVersion"),
        ("update_function_code", "UpdateFunctionCode"),
    ],
)
def test_dates_and_versions_in_event_names_make_no_difference(name: str, api: str, suffix: str) -> None:
    """AWS says that they still refer to the same public API."""
    sample = changed(name, eventName=api + suffix)
    assert parse_record(sample).api == api
    check(look(sample), ORDERS)


@pytest.mark.parametrize("name", ["AddPermissionv2", "AddPermission2015", "20150331AddPermission", "addpermission"])
def test_what_only_looks_like_a_version_is_part_of_the_name(name: str) -> None:
    """Only eight digits at the end, with or without a version, are taken off."""
    with pytest.raises(UnknownEventError):
        look(changed("add_permission", eventName=name))


@pytest.mark.parametrize(
    "text",
    [
        "orders",
        "orders:live",
        "orders:$LATEST",
        "function:orders",
        "123456789012:function:orders",
        "123456789012:function:orders:7",
        "arn:aws:lambda:us-east-1:123456789012:function:orders",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:live",
    ],
)
def test_the_function_is_found_whatever_the_caller_typed(text: str) -> None:
    """CloudTrail records the name as it was typed; versions and aliases lead to the function they belong to."""
    check(look(changed("add_permission", requestParameters={"functionName": text})), ORDERS)


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_bare_name_is_of_the_partition_region_and_account_of_the_record(region: str, partition: str) -> None:
    """All three are needed to ask AWS about the function."""
    sample = changed("add_permission", awsRegion=region)
    check(look(sample), FunctionTarget(partition, region, "123456789012", "orders"))


@pytest.mark.parametrize("name", ["update_event_source_mapping", "delete_event_source_mapping"])
def test_the_function_of_a_mapping_comes_from_the_answer(name: str) -> None:
    """These calls are made by the mapping's UUID and say nothing of the function."""
    assert "functionName" not in event(name)["detail"]["requestParameters"]
    check(look(event(name), Direction.EXECUTION_ROLE), ORDERS)


def test_the_answer_about_a_mapping_wins_over_the_request() -> None:
    """An update may move the mapping: the answer names where it is now."""
    sample = event("update_event_source_mapping")
    sample["detail"]["requestParameters"]["functionName"] = "orders-before"
    check(look(sample, Direction.EXECUTION_ROLE), ORDERS)


@pytest.mark.parametrize("name", ["a", "orders_role=+,.@-1", "r" * 64])
def test_every_name_that_iam_allows_is_taken(name: str) -> None:
    """Letters, digits and `_+=,.@-`, up to 64 of them."""
    found = look(changed("attach_role_policy", requestParameters={"roleName": name}), Direction.EXECUTION_ROLE)
    check(found, RoleTarget("123456789012", name))


# ── Whether it happened ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if not isinstance(expected[0], str)])
def test_a_call_that_failed_changes_nothing(name: str) -> None:
    """Whatever the record says besides."""
    check(look(changed(name, errorCode="ServiceException")), f"{FAILED}: ServiceException")


@pytest.mark.parametrize("name", ["add_permission", "create_function", "update_function_code"])
def test_a_call_without_an_answer_did_not_happen_where_lambda_answers(name: str) -> None:
    """A refused CreateFunction was seen without an errorCode; its responseElements were null."""
    check(look(changed(name, responseElements=None)), f"{FAILED}: no response")


@pytest.mark.parametrize(
    "name",
    [
        "remove_permission",
        "delete_function",
        "delete_resource_policy",
        "delete_function_url_config",
        "delete_alias",
    ],
)
def test_a_call_that_answers_nothing_happened_without_an_answer(name: str) -> None:
    """For these null responseElements are what a success looks like."""
    assert event(name)["detail"]["responseElements"] is None
    check(look(event(name)), ORDERS)


@pytest.mark.parametrize(
    "name",
    ["create_function_url_config", "update_function_url_config", "create_alias", "update_alias", "publish_version"],
)
def test_where_no_success_was_ever_published_an_answer_is_not_asked_for(name: str) -> None:
    """To look once too often does no harm; to look once too seldom does."""
    check(look(changed(name, responseElements=None)), ORDERS)


@pytest.mark.parametrize(
    "request_",
    [
        {"publish": False},
        {"publish": True, "dryRun": True},
        {"publish": "true"},
        {"publish": 1},
        {"publish": None},
        {},
    ],
)
def test_new_code_counts_only_as_a_version(request_: dict[str, Any]) -> None:
    """Code alone changes nobody's permission; a version may be what a trigger has waited for, and keeps its role."""
    sample = event("update_function_code")
    del sample["detail"]["requestParameters"]["publish"]
    sample["detail"]["requestParameters"] |= request_
    for direction in Direction:
        check(look(sample, direction), UNPUBLISHED)


# ── Managed policies ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("set_as_default", "version", "expected"),
    [
        (True, {"isDefaultVersion": True}, POLICY),
        (True, {}, POLICY),
        (True, None, POLICY),
        (None, {"isDefaultVersion": True}, POLICY),
        (False, {"isDefaultVersion": False}, NOT_DEFAULT),
        (None, {"isDefaultVersion": False}, NOT_DEFAULT),
        (None, {}, NOT_DEFAULT),
        (None, None, NOT_DEFAULT),
        (None, "v4", NOT_DEFAULT),
        ("true", {"isDefaultVersion": 1}, NOT_DEFAULT),
    ],
)
def test_a_new_version_of_a_policy_counts_where_it_is_the_default(
    set_as_default: Any, version: Any, expected: Target | str
) -> None:
    """Whether the request says so or the answer; the other versions of a policy say nothing to anybody."""
    sample = event("create_policy_version")
    sample["detail"]["requestParameters"]["setAsDefault"] = set_as_default
    sample["detail"]["responseElements"] = {"policyVersion": version}
    check(look(sample, Direction.EXECUTION_ROLE), expected)


def test_a_new_version_without_an_answer_did_not_come_to_be() -> None:
    """IAM tells its number."""
    sample = changed("create_policy_version", responseElements=None)
    check(look(sample, Direction.EXECUTION_ROLE), f"{FAILED}: no response")


@pytest.mark.parametrize("name", ["create_policy_version", "set_default_policy_version"])
@pytest.mark.parametrize("account", ["999999999999", "aws"])
def test_a_policy_of_another_account_is_not_ours(name: str, account: str) -> None:
    """Nobody here can change one; AWS changes its own without an event."""
    sample = event(name)
    sample["detail"]["requestParameters"]["policyArn"] = POLICY.arn.replace("123456789012", account)
    check(look(sample, Direction.EXECUTION_ROLE), f"the change is to account {account}, not to this one")


@pytest.mark.parametrize("arn", [None, 7, "", "read-incoming-orders", "arn:aws:iam::123456789012:role/a", ["arn"]])
def test_a_policy_arn_that_iam_would_refuse_is_malformed(arn: Any) -> None:
    """It never becomes part of a call."""
    sample = event("set_default_policy_version")
    sample["detail"]["requestParameters"]["policyArn"] = arn
    with pytest.raises(MalformedEventError, match=r"no `policyArn`|not a managed policy's ARN"):
        look(sample, Direction.EXECUTION_ROLE)


@pytest.mark.parametrize("name", ["delete_policy", "delete_policy_version"])
@pytest.mark.parametrize("direction", Direction)
def test_what_iam_lets_nobody_delete_while_it_matters_needs_no_look(name: str, direction: Direction) -> None:
    """Whatever the record says besides; and it is no unknown API, should a rule ever match it."""
    for sample in (event(name), changed(name, requestParameters=None), changed(name, errorCode="DeleteConflict")):
        found = look(sample, direction)
        assert found.targets == ()
        assert found.reason.startswith("IAM deletes no ")


@pytest.mark.parametrize(
    "message",
    [
        "The function execution role does not have permissions to call GetQueueAttributes on SQS.",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        "Cannot access cluster. Please ensure the role can perform the DescribeClusterV2 action on it.",
    ],
)
def test_a_mapping_refused_for_the_role_is_looked_at(message: str) -> None:
    """The person who could not create it is told what the role lacks."""
    sample = changed("create_event_source_mapping_denied_queue", errorMessage=message)
    check(look(sample, Direction.EXECUTION_ROLE), ORDERS)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", "The execution role does not have permissions to call ReceiveMessage on SQS"),
        ("InvalidParameterValueException", "Unrecognized event source."),
        ("InvalidParameterValueException", None),
        ("ResourceConflictException", "The mapping already exists."),
    ],
)
def test_a_mapping_refused_for_another_reason_is_not(code: str, message: str | None) -> None:
    """It says nothing of the role."""
    sample = changed("create_event_source_mapping_denied_queue", errorCode=code, errorMessage=message)
    check(look(sample, Direction.EXECUTION_ROLE), f"{FAILED}: {code}")


@pytest.mark.parametrize("name", ["update_event_source_mapping_failed", "delete_function_not_found"])
def test_the_same_words_about_another_call_do_not_make_it_a_target(name: str) -> None:
    """The role is looked at when something is created or configured."""
    refused = event("create_event_source_mapping_denied_queue")["detail"]
    said = {key: refused[key] for key in ("errorCode", "errorMessage")}
    check(look(changed(name, **said), Direction.EXECUTION_ROLE), FAILED)


def test_a_look_carries_what_was_refused_and_for_the_execution_role_alone() -> None:
    """Whoever checks who may invoke has nothing to do with it; what succeeded was not refused."""
    refused = look(event("create_function_denied_role"), Direction.EXECUTION_ROLE).denied_call
    assert refused is not None
    assert (refused.api, refused.function_arn) == ("CreateFunction", ORDERS.arn)
    assert look(event("create_function_denied_role"), Direction.INVOKE_POLICY).denied_call is None
    assert look(event("create_function"), Direction.EXECUTION_ROLE).denied_call is None
    assert look(event("create_function_failed"), Direction.EXECUTION_ROLE).denied_call is None


def test_a_refused_mapping_without_a_function_is_malformed() -> None:
    """Only the request could have named it."""
    sample = changed("create_event_source_mapping_denied_queue", requestParameters=None)
    with pytest.raises(MalformedEventError, match="CreateEventSourceMapping20150331 has no `function"):
        look(sample, Direction.EXECUTION_ROLE)


# ── Mappings that AWS switched off ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("resources", "details"),
    [
        ([{"ARN": ORDERS.arn}], {"ESMDisableReason": "AUTHORIZATION_ERROR"}),
        ([{"ARN": f"{ORDERS.arn}:live"}], {"ESMDisableReason": "RESOURCE_NOT_FOUND"}),
        ([{"ARN": "arn:aws:sqs:us-east-1:123456789012:incoming-orders"}, {"ARN": ORDERS.arn}], {}),
        ([], {"functionArn": ORDERS.arn, "ESMDisableReason": "FUNCTION_IN_FAILED_STATE"}),
        ("text", {"FunctionArn": f"{ORDERS.arn}:7"}),
        ([None, {"ARN": 7}, {"ARN": "orders"}], {"reason": {"code": 1}, "function": ORDERS.arn}),
    ],
)
def test_the_function_of_a_mapping_that_aws_switched_off_is_found_wherever_it_is_named(
    resources: Any, details: Any
) -> None:
    """AWS documents where the reason is, and not where the function is; whatever the reason, a look does no harm."""
    sample = changed("lambda_esm_disabled", resources=resources, serviceEventDetails=details)
    check(look(sample, Direction.EXECUTION_ROLE), ORDERS)


@pytest.mark.parametrize("details", [None, "text", [], {}, {"ESMDisableReason": "AUTHORIZATION_ERROR"}])
def test_a_mapping_that_aws_switched_off_and_does_not_name_is_left_to_the_sweep(details: Any) -> None:
    """Such a message would fail each time and help nobody; the sweep reads every mapping's state."""
    sample = changed("lambda_esm_disabled", resources=None, serviceEventDetails=details)
    found = look(sample, Direction.EXECUTION_ROLE)
    check(found, "the sweep checks it")


@pytest.mark.parametrize("detail", [{"errorCode": "AUTHORIZATION_ERROR"}, {"responseElements": None}])
def test_what_nobody_called_for_does_not_fail(detail: dict[str, Any]) -> None:
    """Whatever else the record says, the mapping is off."""
    check(look(changed("lambda_esm_disabled", **detail), Direction.EXECUTION_ROLE), ORDERS)


def test_a_mapping_of_another_account_s_function_is_not_ours() -> None:
    """Its ARN says whose it is."""
    arn = ORDERS.arn.replace("123456789012", "999999999999")
    sample = changed("lambda_esm_disabled", resources=[{"ARN": arn}])
    check(look(sample, Direction.EXECUTION_ROLE), "to account 999999999999, not to this one")


# ── Who made the change ─────────────────────────────────────────────────────────────────────────────────────────────

CLOUDFORMATION = "cloudformation.amazonaws.com"
PROVIDER = "terraform-provider-aws/6.20.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.39.6"


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("add_permission", ""),
        ("add_permission_full_arn", "cloudformation"),
        ("update_alias", "terraform"),
        ("update_function_url_config", "terraform"),
        ("remove_permission", ""),
    ],
)
def test_a_change_made_by_infrastructure_code_says_so(name: str, tool: str) -> None:
    """So that whoever is told looks for the template, and not for the person."""
    assert parse_record(event(name)).tool == tool
    assert look(event(name)).tool == tool


@pytest.mark.parametrize(
    "detail",
    [
        {"userIdentity": {"invokedBy": CLOUDFORMATION}},
        {"sourceIPAddress": CLOUDFORMATION},
        {"userAgent": CLOUDFORMATION},
        {"userIdentity": None, "sourceIPAddress": CLOUDFORMATION, "userAgent": None},
        {"userIdentity": {"invokedBy": CLOUDFORMATION}, "userAgent": "HashiCorp/1.0 Terraform/1.9.5"},
    ],
)
def test_cloudformation_is_known_by_any_of_its_marks(detail: dict[str, Any]) -> None:
    """It calls in the name of whoever deploys, or of a role for stacks."""
    assert look(changed("add_permission", **detail)).tool == "cloudformation"


@pytest.mark.parametrize(
    ("agent", "tool"),
    [
        (f"APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) {PROVIDER}", "terraform"),
        (f"[APN/1.0 HashiCorp/1.0 Terraform/0.12.31 (+https://www.terraform.io) {PROVIDER}]", "terraform"),
        (f"OpenTofu/1.8.0 (+https://opentofu.org) {PROVIDER}", "terraform"),
        (f"APN/1.0 HashiCorp/1.0 OpenTofu/1.8.0 {PROVIDER}", "terraform"),
        ("Terraform/1.9.5", "terraform"),
        ("[Terraform/1.9.5]", "terraform"),
        (f"APN/1.0 Pulumi/1.0 PulumiAws/7.0.0 {PROVIDER}", ""),
        ("my-Terraform/1.9.5", ""),
        ("terraform/1.9.5", ""),
        ("I use Terraform", ""),
        ("AWS Internal", ""),
        ("cloudformation.amazonaws.com.example.com", ""),
        ("", ""),
    ],
)
def test_terraform_is_known_by_its_user_agent(agent: str, tool: str) -> None:
    """It leaves no other mark; OpenTofu counts as it."""
    assert look(changed("add_permission", userAgent=agent)).tool == tool


@pytest.mark.parametrize(
    "value", [None, 7, True, [], {}, [CLOUDFORMATION], {"invokedBy": [CLOUDFORMATION]}, "x" * 100_000]
)
@pytest.mark.parametrize("key", ["userIdentity", "sourceIPAddress", "userAgent"])
def test_what_is_not_written_as_aws_writes_it_names_no_tool(key: str, value: Any) -> None:
    """An event's content is anybody's; the change is looked at all the same."""
    sample = event("add_permission")
    sample["detail"][key] = value
    found = look(sample)
    check(found, ORDERS)
    assert found.tool == ""


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("add_permission_denied", Direction.INVOKE_POLICY),
        ("update_function_code_unpublished", Direction.INVOKE_POLICY),
        ("add_permission_full_arn", Direction.EXECUTION_ROLE),
        ("create_event_source_mapping_denied_queue", Direction.EXECUTION_ROLE),
    ],
)
def test_only_what_changed_something_was_made_by_a_tool(name: str, direction: Direction) -> None:
    """A call that was refused made no change, even where it is worth a look."""
    sample = changed(name, sourceIPAddress=CLOUDFORMATION)
    assert parse_record(sample).tool == "cloudformation"
    assert look(sample, direction).tool == ""


# ── Whose it is ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "service", ["secretsmanager", "ecr", "kinesis", "dynamodb", "ssm", "organizations", "LAMBDA", "iam.evil"]
)
def test_other_services_are_ignored_and_not_unknown(service: str) -> None:
    """PutResourcePolicy alone exists in a dozen of them."""
    sample = changed("put_resource_policy", eventSource=f"{service}.amazonaws.com")
    for direction in Direction:
        check(look(sample, direction), f"{service}.amazonaws.com is not watched")


def test_an_iam_event_name_from_lambda_is_unknown() -> None:
    """The name alone does not decide: who made the record does."""
    with pytest.raises(UnknownEventError, match=r"lambda\.amazonaws\.com 'AttachRolePolicy'"):
        look(changed("attach_role_policy", eventSource="lambda.amazonaws.com"))


def test_a_change_to_another_account_is_not_ours() -> None:
    """Somebody here may give permissions on functions elsewhere."""
    request = {"functionName": "111122223333:function:orders"}
    check(look(changed("add_permission", requestParameters=request)), "to account 111122223333, not to this one")


def test_the_account_is_the_recipient_of_the_record() -> None:
    """A call from another account on a function of ours is ours; the caller's account does not count."""
    sample = event("add_permission")
    sample["detail"]["userIdentity"]["accountId"] = "111122223333"
    check(look(sample), ORDERS)


def test_the_envelope_names_the_account_where_the_record_does_not() -> None:
    """Old records have no recipientAccountId."""
    sample = changed("add_permission", recipientAccountId=None)
    sample["account"] = "999999999999"
    check(look(sample), FunctionTarget("aws", "us-east-1", "999999999999", "orders"))


# ── What cannot be read ─────────────────────────────────────────────────────────────────────────────────────────────

MISSING = {
    "without_detail": "no `detail` object",
    "without_event_name": "no `eventName`",
    "without_event_id": "no `eventID`",
    "without_account": "names no account",
    "without_function_name": "AddPermission20150331v2 has no `functionName`",
    "function_name_is_not_one": "not a Lambda function name or ARN",
    "policy_arn_is_not_one": "not a managed policy's ARN",
    "role_name_is_not_one": "AttachRolePolicy has no valid `roleName`",
}


@pytest.mark.parametrize(("name", "missing"), MISSING.items(), ids=MISSING)
def test_a_malformed_event_is_an_error_that_names_what_is_wrong(name: str, missing: str) -> None:
    """Whoever finds it in the dead-letter queue knows what to look for."""
    direction = Direction.EXECUTION_ROLE if name.startswith(("role", "policy")) else Direction.INVOKE_POLICY
    with pytest.raises(MalformedEventError, match=missing):
        look(event(name, MALFORMED), direction)


def test_every_malformed_sample_has_its_expectation() -> None:
    """A sample that no test reads is a defect."""
    assert {path.stem for path in MALFORMED.glob("*.json")} == MISSING.keys()


@pytest.mark.parametrize("sample", [None, [], "text", 7, {}, {"detail": None}, {"detail": "text"}, {"detail": []}])
def test_what_is_no_event_at_all_is_malformed(sample: Any) -> None:
    """Any JSON may arrive."""
    with pytest.raises(MalformedEventError, match="no `detail` object"):
        parse_record(sample)
    assert event_id_of(sample) == "unknown"


@pytest.mark.parametrize("key", ["eventID", "eventSource", "eventName", "awsRegion"])
@pytest.mark.parametrize("value", [None, "", 7, ["x"], {"x": "y"}])
def test_each_part_of_a_record_has_to_be_text(key: str, value: Any) -> None:
    """The error names the part."""
    sample = event("add_permission")
    sample["detail"][key] = value
    with pytest.raises(MalformedEventError, match=f"no `{key}`"):
        parse_record(sample)


@pytest.mark.parametrize("account", ["", "12345678901", "1234567890123", "12345678901x", "\u0661" * 12, 123456789012])
def test_an_account_is_twelve_digits(account: Any) -> None:
    """Nothing else is taken for one."""
    sample = changed("add_permission", recipientAccountId=account)
    sample["account"] = account
    with pytest.raises(MalformedEventError, match="names no account"):
        parse_record(sample)


@pytest.mark.parametrize("request_", ["text", [], 7, {"functionName": 7}, {"functionName": ["orders"]}, {}])
def test_a_request_that_names_no_function_is_malformed(request_: Any) -> None:
    """Whatever shape it has."""
    sample = event("add_permission")
    sample["detail"]["requestParameters"] = request_
    with pytest.raises(MalformedEventError, match="no `functionName`"):
        look(sample)


@pytest.mark.parametrize(
    "arn", [None, 7, "orders", "arn:aws:lambda:us-east-1:123456789012:layer:orders", "arn:aws:s3:::orders"]
)
def test_a_resource_policy_is_of_a_function_arn(arn: Any) -> None:
    """The API takes nothing else."""
    with pytest.raises(MalformedEventError, match=r"resourceArn|not a Lambda function"):
        look(changed("put_resource_policy", requestParameters={"resourceArn": arn}))


@pytest.mark.parametrize("name", [None, 7, "", "r" * 65, "a/b", "a b", "a\n", "rôle", "*", "${jndi:ldap://192.0.2.1}"])
def test_a_role_name_that_iam_would_refuse_is_malformed(name: Any) -> None:
    """It never becomes part of a call."""
    with pytest.raises(MalformedEventError, match="no valid `roleName`"):
        look(changed("attach_role_policy", requestParameters={"roleName": name}), Direction.EXECUTION_ROLE)


def test_a_huge_event_name_does_not_flood_the_log() -> None:
    """The error shows its beginning."""
    with pytest.raises(UnknownEventError) as unknown:
        look(changed("add_permission", eventName="A" * 100_000))
    assert len(str(unknown.value)) < 300


def test_text_in_a_record_is_never_followed() -> None:
    """Statement ids, policy documents and answers may say what they like: only the names count."""
    sample = event("add_permission")
    sample["detail"]["requestParameters"] |= {"statementId": "'; DROP TABLE", "principal": "*", "roleName": "admin"}
    sample["detail"]["responseElements"] = {"statement": "not JSON", "functionArn": "arn:aws:lambda:eu-west-1:1:x"}
    before = copy.deepcopy(sample)
    check(look(sample), ORDERS)
    assert sample == before


def test_the_event_id_of_a_record_is_told_even_when_the_rest_is_broken() -> None:
    """A log line carries it, whatever happens."""
    assert event_id_of(event("add_permission")) == event("add_permission")["detail"]["eventID"]
    assert event_id_of(event("without_event_name", MALFORMED)) != "unknown"
    assert event_id_of({"detail": {"eventID": 7}}) == "unknown"


def test_the_policy_of_a_runtime_is_nobodys_concern() -> None:
    """Lambda's runtimes have resource policies of their own; they say nothing of who may invoke a function."""
    event = json.loads((CORPUS / "put_resource_policy.json").read_text())
    event["detail"]["requestParameters"]["resourceArn"] = "arn:aws:lambda:us-east-1::runtime/abc123"
    look = targets_of_record(parse_record(event), Direction.INVOKE_POLICY)
    assert look.targets == ()
    assert "not to a function" in look.reason
