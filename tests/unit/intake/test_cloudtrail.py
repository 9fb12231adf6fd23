"""A CloudTrail record names the function, role or policy to expect; the rest of the record is not trusted."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import get_session

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.intake.cloudtrail import _APIS, LAMBDA, RecordTargets, targets_of_record
from permission_guard.intake.cloudtrail_record import event_id_of, parse_record
from permission_guard.intake.ignored_apis import IGNORED_APIS
from permission_guard.model.targets import Direction, FunctionTarget, PolicyTarget, RoleTarget, Target
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = REPOSITORY / "events" / "cloudtrail"
MALFORMED = REPOSITORY / "events" / "malformed"

ORDERS = FunctionTarget("aws", "us-east-1", "123456789012", "orders")
ROLE = RoleTarget("123456789012", "orders-role")
POLICY = PolicyTarget("123456789012", "arn:aws:iam::123456789012:policy/shop/read-incoming-orders")

# The target of each record for the invoke policy and for the execution role, or the reason why it has none.
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
    "put_resource_policy_of_a_web_function": ("web functions are not checked", OTHER_SCOPE),
    "put_role_permissions_boundary": (OTHER_SCOPE, ROLE),
    "put_role_policy": (OTHER_SCOPE, ROLE),
    "remove_permission": (ORDERS, OTHER_SCOPE),
    "run_microvm": ("RunMicrovm: MicroVMs are not checked",) * 2,
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
    """Load a sample event; each call returns a new copy."""
    return json.loads((folder / f"{name}.json").read_text())


def changed(name: str, **detail: Any) -> Any:
    """Load a sample event and change its record; the value None removes a key."""
    sample = event(name)
    for key, value in detail.items():
        if value is None:
            sample["detail"].pop(key, None)
        else:
            sample["detail"][key] = value
    return sample


def targets_of(sample: Any, direction: Direction = Direction.INVOKE_POLICY) -> RecordTargets:
    """Return the targets of an event."""
    return targets_of_record(parse_record(sample), direction)


def expect(found: RecordTargets, expected: Target | str) -> None:
    """Expect a target, or no target and a reason."""
    if isinstance(expected, str):
        assert found.targets == ()
        assert expected in found.reason
    else:
        assert found.targets == (expected,)
        assert found.reason == ""


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED)
def test_every_sample_event_has_the_expected_target_or_reason(
    name: str, expected: tuple[Target | str, Target | str]
) -> None:
    """For both scopes."""
    sample = event(name)
    for direction, outcome in zip((Direction.INVOKE_POLICY, Direction.EXECUTION_ROLE), expected, strict=True):
        found = targets_of(sample, direction)
        assert found.event_id == sample["detail"]["eventID"]
        expect(found, outcome)


def test_every_sample_event_is_in_the_table_of_this_test() -> None:
    """A sample that no test reads is a defect."""
    assert {path.stem for path in CORPUS.glob("*.json")} == EXPECTED.keys() | UNKNOWN


@pytest.mark.parametrize("name", sorted(UNKNOWN))
@pytest.mark.parametrize("direction", Direction)
def test_an_unknown_api_is_an_error_with_its_name(name: str, direction: Direction) -> None:
    """AWS may have added an API that matters, so a person must check it."""
    sample = event(name)
    with pytest.raises(UnknownEventError, match=sample["detail"]["eventName"]):
        targets_of(sample, direction)


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
def test_dates_and_versions_in_event_names_are_ignored(name: str, api: str, suffix: str) -> None:
    """AWS documents that such a name still refers to the same public API."""
    sample = changed(name, eventName=api + suffix)
    assert parse_record(sample).api == api
    expect(targets_of(sample), ORDERS)


@pytest.mark.parametrize("name", ["AddPermissionv2", "AddPermission2015", "20150331AddPermission", "addpermission"])
def test_other_suffixes_are_part_of_the_event_name(name: str) -> None:
    """Only eight digits at the end, with or without a version, are removed."""
    with pytest.raises(UnknownEventError):
        targets_of(changed("add_permission", eventName=name))


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
def test_the_function_is_found_by_name_partial_arn_or_arn(text: str) -> None:
    """CloudTrail records the caller's spelling. Versions and aliases belong to their function."""
    expect(targets_of(changed("add_permission", requestParameters={"functionName": text})), ORDERS)


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_partition_region_and_account_of_a_bare_name_come_from_the_record(region: str, partition: str) -> None:
    """The function's ARN needs all three."""
    sample = changed("add_permission", awsRegion=region)
    expect(targets_of(sample), FunctionTarget(partition, region, "123456789012", "orders"))


@pytest.mark.parametrize("name", ["update_event_source_mapping", "delete_event_source_mapping"])
def test_the_function_of_a_mapping_comes_from_the_response(name: str) -> None:
    """The request has only the mapping's UUID."""
    assert "functionName" not in event(name)["detail"]["requestParameters"]
    expect(targets_of(event(name), Direction.EXECUTION_ROLE), ORDERS)


def test_the_response_takes_precedence_over_the_request() -> None:
    """An update can move the mapping to another function; the response names the current one."""
    sample = event("update_event_source_mapping")
    sample["detail"]["requestParameters"]["functionName"] = "orders-before"
    expect(targets_of(sample, Direction.EXECUTION_ROLE), ORDERS)


@pytest.mark.parametrize("name", ["a", "orders_role=+,.@-1", "r" * 64])
def test_every_role_name_that_iam_allows_is_accepted(name: str) -> None:
    """Letters, digits and `_+=,.@-`, up to 64 characters."""
    found = targets_of(changed("attach_role_policy", requestParameters={"roleName": name}), Direction.EXECUTION_ROLE)
    expect(found, RoleTarget("123456789012", name))


# ── Whether the call succeeded ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if not isinstance(expected[0], str)])
def test_a_failed_call_has_no_target(name: str) -> None:
    """It changed nothing, whatever else the record contains."""
    expect(targets_of(changed(name, errorCode="ServiceException")), f"{FAILED}: ServiceException")


@pytest.mark.parametrize("name", ["add_permission", "create_function", "update_function_code"])
def test_a_call_without_a_response_failed_if_lambda_sends_one_on_success(name: str) -> None:
    """A denied CreateFunction was recorded without an errorCode, with responseElements null."""
    expect(targets_of(changed(name, responseElements=None)), f"{FAILED}: no response")


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
def test_a_call_without_a_response_succeeded_if_lambda_sends_none(name: str) -> None:
    """For these calls, responseElements is null after a success."""
    assert event(name)["detail"]["responseElements"] is None
    expect(targets_of(event(name)), ORDERS)


@pytest.mark.parametrize(
    "name",
    ["create_function_url_config", "update_function_url_config", "create_alias", "update_alias", "publish_version"],
)
def test_a_response_is_not_required_if_no_recorded_success_was_published(name: str) -> None:
    """An unnecessary check does no harm; a missing check does."""
    expect(targets_of(changed(name, responseElements=None)), ORDERS)


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
def test_new_code_has_a_target_only_if_a_version_is_published(request_: dict[str, Any]) -> None:
    """Code alone changes no permission. A trigger may wait for a new version, and a version keeps its role."""
    sample = event("update_function_code")
    del sample["detail"]["requestParameters"]["publish"]
    sample["detail"]["requestParameters"] |= request_
    for direction in Direction:
        expect(targets_of(sample, direction), UNPUBLISHED)


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
def test_a_new_policy_version_has_a_target_if_it_is_the_default(
    set_as_default: Any, version: Any, expected: Target | str
) -> None:
    """The request or the response can say that it is. Other versions have no effect."""
    sample = event("create_policy_version")
    sample["detail"]["requestParameters"]["setAsDefault"] = set_as_default
    sample["detail"]["responseElements"] = {"policyVersion": version}
    expect(targets_of(sample, Direction.EXECUTION_ROLE), expected)


def test_a_policy_version_without_a_response_was_not_created() -> None:
    """IAM returns the number of a created version."""
    sample = changed("create_policy_version", responseElements=None)
    expect(targets_of(sample, Direction.EXECUTION_ROLE), f"{FAILED}: no response")


@pytest.mark.parametrize("name", ["create_policy_version", "set_default_policy_version"])
@pytest.mark.parametrize("account", ["999999999999", "aws"])
def test_a_policy_of_another_account_is_ignored(name: str, account: str) -> None:
    """No call of this account can change it. AWS changes its managed policies without an event."""
    sample = event(name)
    sample["detail"]["requestParameters"]["policyArn"] = POLICY.arn.replace("123456789012", account)
    expect(targets_of(sample, Direction.EXECUTION_ROLE), f"the change is to account {account}, not to this one")


@pytest.mark.parametrize("arn", [None, 7, "", "read-incoming-orders", "arn:aws:iam::123456789012:role/a", ["arn"]])
def test_an_invalid_policy_arn_is_malformed(arn: Any) -> None:
    """It is never used in an API call."""
    sample = event("set_default_policy_version")
    sample["detail"]["requestParameters"]["policyArn"] = arn
    with pytest.raises(MalformedEventError, match=r"no `policyArn`|not a managed policy's ARN"):
        targets_of(sample, Direction.EXECUTION_ROLE)


@pytest.mark.parametrize("name", ["delete_policy", "delete_policy_version"])
@pytest.mark.parametrize("direction", Direction)
def test_deletions_that_iam_allows_only_of_unused_policies_need_no_check(name: str, direction: Direction) -> None:
    """In every variant of the record. The APIs are known, so they are no error if a rule ever matches them."""
    for sample in (event(name), changed(name, requestParameters=None), changed(name, errorCode="DeleteConflict")):
        found = targets_of(sample, direction)
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
def test_a_mapping_that_was_denied_because_of_the_role_is_checked(message: str) -> None:
    """The check reports what the role lacks."""
    sample = changed("create_event_source_mapping_denied_queue", errorMessage=message)
    expect(targets_of(sample, Direction.EXECUTION_ROLE), ORDERS)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", "The execution role does not have permissions to call ReceiveMessage on SQS"),
        ("InvalidParameterValueException", "Unrecognized event source."),
        ("InvalidParameterValueException", None),
        ("ResourceConflictException", "The mapping already exists."),
    ],
)
def test_a_mapping_that_was_denied_for_another_reason_is_not_checked(code: str, message: str | None) -> None:
    """The error is not about the role."""
    sample = changed("create_event_source_mapping_denied_queue", errorCode=code, errorMessage=message)
    expect(targets_of(sample, Direction.EXECUTION_ROLE), f"{FAILED}: {code}")


@pytest.mark.parametrize("name", ["update_event_source_mapping_failed", "delete_function_not_found"])
def test_the_same_error_of_another_call_has_no_target(name: str) -> None:
    """Only calls that create or configure something are checked."""
    denied = event("create_event_source_mapping_denied_queue")["detail"]
    error = {key: denied[key] for key in ("errorCode", "errorMessage")}
    expect(targets_of(changed(name, **error), Direction.EXECUTION_ROLE), FAILED)


def test_denied_calls_are_part_of_execution_role_targets_only() -> None:
    """The invoke policy is not concerned, and a successful call is no denied call."""
    denied = targets_of(event("create_function_denied_role"), Direction.EXECUTION_ROLE).denied_call
    assert denied is not None
    assert (denied.api, denied.function_arn) == ("CreateFunction", ORDERS.arn)
    assert targets_of(event("create_function_denied_role"), Direction.INVOKE_POLICY).denied_call is None
    assert targets_of(event("create_function"), Direction.EXECUTION_ROLE).denied_call is None
    assert targets_of(event("create_function_failed"), Direction.EXECUTION_ROLE).denied_call is None


def test_a_denied_mapping_without_a_function_is_malformed() -> None:
    """Only the request can name the function."""
    sample = changed("create_event_source_mapping_denied_queue", requestParameters=None)
    with pytest.raises(MalformedEventError, match="CreateEventSourceMapping20150331 has no `function"):
        targets_of(sample, Direction.EXECUTION_ROLE)


# ── Mappings that AWS disabled ──────────────────────────────────────────────────────────────────────────────────────


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
def test_the_function_of_a_disabled_mapping_is_found_in_every_part_of_the_record(resources: Any, details: Any) -> None:
    """AWS documents where the reason is, but not where the function is. A check does no harm for any reason."""
    sample = changed("lambda_esm_disabled", resources=resources, serviceEventDetails=details)
    expect(targets_of(sample, Direction.EXECUTION_ROLE), ORDERS)


@pytest.mark.parametrize("details", [None, "text", [], {}, {"ESMDisableReason": "AUTHORIZATION_ERROR"}])
def test_a_disabled_mapping_without_a_function_is_left_to_the_sweep(details: Any) -> None:
    """Retries of the message would always fail; the sweep reads the state of every mapping."""
    sample = changed("lambda_esm_disabled", resources=None, serviceEventDetails=details)
    found = targets_of(sample, Direction.EXECUTION_ROLE)
    expect(found, "the sweep checks it")


@pytest.mark.parametrize("detail", [{"errorCode": "AUTHORIZATION_ERROR"}, {"responseElements": None}])
def test_the_event_of_a_disabled_mapping_has_no_failed_call(detail: dict[str, Any]) -> None:
    """AWS disabled the mapping itself, so an error code or a missing response is no failed call."""
    expect(targets_of(changed("lambda_esm_disabled", **detail), Direction.EXECUTION_ROLE), ORDERS)


def test_a_disabled_mapping_of_another_account_is_ignored() -> None:
    """The function's ARN has its account."""
    arn = ORDERS.arn.replace("123456789012", "999999999999")
    sample = changed("lambda_esm_disabled", resources=[{"ARN": arn}])
    expect(targets_of(sample, Direction.EXECUTION_ROLE), "to account 999999999999, not to this one")


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
def test_the_tool_that_made_a_change_is_recorded(name: str, tool: str) -> None:
    """The reader of an alert then changes the template instead of the function."""
    assert parse_record(event(name)).tool == tool
    assert targets_of(event(name)).tool == tool


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
def test_cloudformation_is_recognized_by_each_of_its_fields(detail: dict[str, Any]) -> None:
    """It calls with the identity of the caller, or with a role for stacks."""
    assert targets_of(changed("add_permission", **detail)).tool == "cloudformation"


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
def test_terraform_is_recognized_by_its_user_agent(agent: str, tool: str) -> None:
    """The record has no other sign of it. OpenTofu counts as Terraform."""
    assert targets_of(changed("add_permission", userAgent=agent)).tool == tool


@pytest.mark.parametrize(
    "value", [None, 7, True, [], {}, [CLOUDFORMATION], {"invokedBy": [CLOUDFORMATION]}, "x" * 100_000]
)
@pytest.mark.parametrize("key", ["userIdentity", "sourceIPAddress", "userAgent"])
def test_malformed_caller_fields_give_no_tool(key: str, value: Any) -> None:
    """The content of an event is not trusted; the change is checked in any case."""
    sample = event("add_permission")
    sample["detail"][key] = value
    found = targets_of(sample)
    expect(found, ORDERS)
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
def test_only_changes_have_a_tool(name: str, direction: Direction) -> None:
    """A denied call made no change, even if it causes a check."""
    sample = changed(name, sourceIPAddress=CLOUDFORMATION)
    assert parse_record(sample).tool == "cloudformation"
    assert targets_of(sample, direction).tool == ""


# ── Services and accounts ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "service", ["secretsmanager", "ecr", "kinesis", "dynamodb", "ssm", "organizations", "LAMBDA", "iam.evil"]
)
def test_other_services_are_ignored_without_an_error(service: str) -> None:
    """PutResourcePolicy alone exists in a dozen services."""
    sample = changed("put_resource_policy", eventSource=f"{service}.amazonaws.com")
    for direction in Direction:
        expect(targets_of(sample, direction), f"{service}.amazonaws.com is not watched")


def test_an_iam_event_name_from_lambda_is_unknown() -> None:
    """The event source and the event name are evaluated together."""
    with pytest.raises(UnknownEventError, match=r"lambda\.amazonaws\.com 'AttachRolePolicy'"):
        targets_of(changed("attach_role_policy", eventSource="lambda.amazonaws.com"))


def test_a_change_in_another_account_is_ignored() -> None:
    """A caller of this account may add permissions to functions of other accounts."""
    request = {"functionName": "111122223333:function:orders"}
    expect(targets_of(changed("add_permission", requestParameters=request)), "to account 111122223333, not to this one")


def test_the_account_is_the_recipient_account_of_the_record() -> None:
    """A call from another account can change a function of this account."""
    sample = event("add_permission")
    sample["detail"]["userIdentity"]["accountId"] = "111122223333"
    expect(targets_of(sample), ORDERS)


def test_the_account_of_the_envelope_is_used_if_the_record_has_none() -> None:
    """Old records have no recipientAccountId."""
    sample = changed("add_permission", recipientAccountId=None)
    sample["account"] = "999999999999"
    expect(targets_of(sample), FunctionTarget("aws", "us-east-1", "999999999999", "orders"))


# ── Malformed records ───────────────────────────────────────────────────────────────────────────────────────────────

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
def test_a_malformed_event_is_an_error_with_the_reason(name: str, missing: str) -> None:
    """The reason is logged when the message moves to the dead-letter queue."""
    direction = Direction.EXECUTION_ROLE if name.startswith(("role", "policy")) else Direction.INVOKE_POLICY
    with pytest.raises(MalformedEventError, match=missing):
        targets_of(event(name, MALFORMED), direction)


def test_every_malformed_sample_is_in_the_table_of_this_test() -> None:
    """A sample that no test reads is a defect."""
    assert {path.stem for path in MALFORMED.glob("*.json")} == MISSING.keys()


@pytest.mark.parametrize("sample", [None, [], "text", 7, {}, {"detail": None}, {"detail": "text"}, {"detail": []}])
def test_json_that_is_no_event_is_malformed(sample: Any) -> None:
    """A queue may contain any JSON."""
    with pytest.raises(MalformedEventError, match="no `detail` object"):
        parse_record(sample)
    assert event_id_of(sample) == "unknown"


@pytest.mark.parametrize(
    "region", ["moon", "us-east-1;id", "$(id)", "us-east-1\n", "US-EAST-1", "us-east-", "a" * 10_000, "us-east-\u0661"]
)
def test_an_invalid_region_is_malformed(region: str) -> None:
    """It becomes part of the function's ARN, and of commands."""
    with pytest.raises(MalformedEventError, match="no valid `awsRegion`"):
        targets_of(changed("add_permission", awsRegion=region))


@pytest.mark.parametrize("key", ["eventID", "eventSource", "eventName", "awsRegion"])
@pytest.mark.parametrize("value", [None, "", 7, ["x"], {"x": "y"}])
def test_each_required_field_of_a_record_must_be_a_string(key: str, value: Any) -> None:
    """The error names the field."""
    sample = event("add_permission")
    sample["detail"][key] = value
    with pytest.raises(MalformedEventError, match=f"no `{key}`"):
        parse_record(sample)


@pytest.mark.parametrize(
    "region", ["us-east", "us-east-1:", '"us-east-1"', "US-EAST-1", "us-east-\u0661", "../us-east-1", "*"]
)
def test_a_region_must_have_the_form_of_a_region(region: str) -> None:
    """It becomes a part of ARNs, and of keys in the findings table."""
    with pytest.raises(MalformedEventError, match="no valid `awsRegion`"):
        parse_record(changed("add_permission", awsRegion=region))


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-isob-east-1"])
def test_regions_of_every_partition_are_accepted(region: str) -> None:
    """A record of any of them is read."""
    assert parse_record(changed("add_permission", awsRegion=region)).region == region


@pytest.mark.parametrize("account", ["", "12345678901", "1234567890123", "12345678901x", "\u0661" * 12, 123456789012])
def test_an_account_must_be_twelve_ascii_digits(account: Any) -> None:
    """No other value is accepted."""
    sample = changed("add_permission", recipientAccountId=account)
    sample["account"] = account
    with pytest.raises(MalformedEventError, match="names no account"):
        parse_record(sample)


@pytest.mark.parametrize("request_", ["text", [], 7, {"functionName": 7}, {"functionName": ["orders"]}, {}])
def test_a_request_that_names_no_function_is_malformed(request_: Any) -> None:
    """In every variant."""
    sample = event("add_permission")
    sample["detail"]["requestParameters"] = request_
    with pytest.raises(MalformedEventError, match="no `functionName`"):
        targets_of(sample)


@pytest.mark.parametrize(
    "arn", [None, 7, "orders", "arn:aws:lambda:us-east-1:123456789012:layer:orders", "arn:aws:s3:::orders"]
)
def test_a_resource_policy_without_a_function_arn_is_malformed(arn: Any) -> None:
    """The API accepts only ARNs."""
    with pytest.raises(MalformedEventError, match=r"resourceArn|not a Lambda function"):
        targets_of(changed("put_resource_policy", requestParameters={"resourceArn": arn}))


@pytest.mark.parametrize("name", [None, 7, "", "r" * 65, "a/b", "a b", "a\n", "rôle", "*", "${jndi:ldap://192.0.2.1}"])
def test_an_invalid_role_name_is_malformed(name: Any) -> None:
    """It is never used in an API call."""
    with pytest.raises(MalformedEventError, match="no valid `roleName`"):
        targets_of(changed("attach_role_policy", requestParameters={"roleName": name}), Direction.EXECUTION_ROLE)


def test_the_error_has_at_most_300_characters_of_a_long_event_name() -> None:
    """A long name must not flood the log."""
    with pytest.raises(UnknownEventError) as unknown:
        targets_of(changed("add_permission", eventName="A" * 100_000))
    assert len(str(unknown.value)) < 300


def test_other_text_in_a_record_is_not_used() -> None:
    """Statement ids, policy documents and responses have no effect on the target."""
    sample = event("add_permission")
    sample["detail"]["requestParameters"] |= {"statementId": "'; DROP TABLE", "principal": "*", "roleName": "admin"}
    sample["detail"]["responseElements"] = {"statement": "not JSON", "functionArn": "arn:aws:lambda:eu-west-1:1:x"}
    before = copy.deepcopy(sample)
    expect(targets_of(sample), ORDERS)
    assert sample == before


def test_the_event_id_is_read_even_if_the_record_is_malformed() -> None:
    """Every log line has it."""
    assert event_id_of(event("add_permission")) == event("add_permission")["detail"]["eventID"]
    assert event_id_of(event("without_event_name", MALFORMED)) != "unknown"
    assert event_id_of({"detail": {"eventID": 7}}) == "unknown"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ("arn:aws:lambda:us-east-1::runtime/abc123", "who may invoke"),
        ("arn:aws:lambda:us-east-1::runtime:abc123", "who may invoke"),
        ("arn:aws:lambda:us-east-1:123456789012:web-function/shop", "web functions are not checked"),
        ("arn:aws:lambda:us-east-1:123456789012:web-function/shop/endpoint/live", "web functions are not checked"),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:web-function/shop", "web functions are not checked"),
        ("arn:aws:lambda:us-east-1:123456789012:capacity-provider:ours", "capacity providers are not checked"),
        ("arn:aws:lambda:us-east-1:123456789012:microvm-image/ours", "MicroVMs are not checked"),
        ("arn:aws:lambda:us-east-1:123456789012:network-connector/ours", "network connectors are not checked"),
    ],
)
@pytest.mark.parametrize("name", ["put_resource_policy", "delete_resource_policy"])
def test_the_policy_of_another_resource_of_lambda_is_ignored_with_a_reason(
    name: str, resource: str, reason: str
) -> None:
    """It shares the API and the event source, and is not retried until it is in the dead-letter queue."""
    found = targets_of(changed(name, requestParameters={"resourceArn": resource}))
    expect(found, "the change is not to a function")
    assert reason in found.reason


def test_a_web_function_in_place_of_a_function_is_ignored_with_a_reason() -> None:
    """No API of the service model accepts one there today."""
    request = {"functionName": "arn:aws:lambda:us-east-1:123456789012:web-function/shop"}
    expect(targets_of(changed("add_permission", requestParameters=request)), "web functions are not checked")


@pytest.mark.parametrize("suffix", ["", "20250307", "20260404v2"])
def test_an_api_that_needs_no_check_is_ignored_with_a_reason(suffix: str) -> None:
    """Whatever its parameters are, and whether or not it succeeded."""
    for api in IGNORED_APIS:
        for direction in Direction:
            for detail in ({}, {"requestParameters": None}, {"errorCode": "AccessDenied"}):
                found = targets_of(changed("add_permission", eventName=api + suffix, **detail), direction)
                expect(found, f"{api}: {IGNORED_APIS[api]}")


def test_an_api_that_needs_no_check_is_one_of_lambda() -> None:
    """The event source and the event name are evaluated together."""
    with pytest.raises(UnknownEventError):
        targets_of(changed("add_permission", eventName="RunMicrovm", eventSource="iam.amazonaws.com"))


UNDELIVERED = {
    "GetAccountSettings",
    "GetAlias",
    "GetCodeSigningConfig",
    "GetDurableExecution",
    "GetDurableExecutionHistory",
    "GetDurableExecutionState",
    "GetEventSource",
    "GetEventSourceMapping",
    "GetFunction",
    "GetFunctionCodeSigningConfig",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "GetFunctionEventInvokeConfig",
    "GetFunctionRecursionConfig",
    "GetFunctionScalingConfig",
    "GetFunctionUrlConfig",
    "GetLayerVersion",
    "GetLayerVersionByArn",
    "GetLayerVersionPolicy",
    "GetPolicy",
    "GetProvisionedConcurrencyConfig",
    "GetResourcePolicy",
    "GetRuntimeManagementConfig",
    "Invoke",
    "InvokeAsync",
    "InvokeWithResponseStream",
    "ListAliases",
    "ListCodeSigningConfigs",
    "ListDurableExecutionsByFunction",
    "ListEventSourceMappings",
    "ListEventSources",
    "ListFunctionEventInvokeConfigs",
    "ListFunctionUrlConfigs",
    "ListFunctions",
    "ListFunctionsByCodeSigningConfig",
    "ListLayerVersions",
    "ListLayers",
    "ListProvisionedConcurrencyConfigs",
    "ListTags",
    "ListVersionsByFunction",
}
"""The operations on functions of which no event comes: they only read, or are recorded as data events."""


def test_every_operation_of_the_lambda_family_is_known_or_ignored() -> None:
    """An operation or a service model that AWS adds has to be read by a person: this test then fails."""
    session = get_session()
    family = [name for name in session.get_available_services() if name.startswith("lambda")]
    assert set(family) == {"lambda", "lambda-core", "lambda-microvms", "lambda-web"}
    loader = session.get_component("data_loader")
    models = [
        loader.load_service_model(name, "service-2", version)
        for name in family
        for version in loader.list_api_versions(name, "service-2")
    ]
    operations = {operation for model in models for operation in model["operations"]}
    known = {name for (source, name), row in _APIS.items() if source == LAMBDA and row.is_call}
    assert operations == known | IGNORED_APIS.keys() | UNDELIVERED
    assert len(operations) == len(known) + len(IGNORED_APIS) + len(UNDELIVERED)


@pytest.mark.parametrize("api", sorted(UNDELIVERED))
def test_an_event_that_no_rule_lets_through_is_an_error(api: str) -> None:
    """They are reads and invocations of functions."""
    assert api.startswith(("Get", "List", "Invoke"))
    with pytest.raises(UnknownEventError):
        targets_of(changed("add_permission", eventName=api))
