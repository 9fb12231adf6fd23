"""CloudTrail records that others have published: the targets of each record, and the tool that made the call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.intake.cloudtrail import targets_of_record
from permission_guard.intake.cloudtrail_record import parse_record
from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget, Target
from tests.conformance.material import CLOUDTRAIL

OTHER_SCOPE = "changes nothing that this checker reads"
FAILED = "the call did not succeed"
NEVER = "IAM deletes no policy that is attached or used as a boundary"


def _recorded(account: str, function: str | None = None, role: str | None = None, region: str = "us-east-1") -> Target:
    if role is not None:
        return RoleTarget(account, role)
    return FunctionTarget("aws", region, account, str(function))


_STRATUS = "123837392027"
_STACKD = "000000000000"
_BACKDOOR = _recorded(_STRATUS, "stratus-red-team-backdoor-f-func")
_OVERWRITE = _recorded(_STRATUS, "stratus-red-team-olc-func-xhfgzaowxc")
_INVALID = f"{FAILED}: InvalidParameterValueException"


def _stratus_role(name: str) -> tuple[str, Target]:
    return OTHER_SCOPE, _recorded(_STRATUS, role=f"stratus-red-team-{name}")


def _both(outcome: Target | str) -> tuple[Target | str, Target | str]:
    return outcome, outcome


# The target or the reason for the invoke policy and for the execution role, or the expected error.
EXPECTED: dict[str, tuple[Target | str, Target | str] | type[MalformedEventError]] = {
    "AddPermission20150331v2__file-5019308995__PARTIAL": MalformedEventError,
    "AddPermission20150331v2__invictus-ir": (_BACKDOOR, OTHER_SCOPE),
    "AttachRolePolicy__invictus-ir": _stratus_role("ec2-steal-credentials-role"),
    "AttachRolePolicy__invictus-ir_2": _stratus_role("ec2-enumerate-role"),
    "AttachRolePolicy__invictus-ir_3": _stratus_role("ec2lui-role-pcccexdthk"),
    "CreateEventSourceMapping20150331__aws-docs": (
        OTHER_SCOPE,
        _recorded("123456789012", "example-function", region="us-east-2"),
    ),
    "CreateFunction20150331__invictus-ir": _both(_BACKDOOR),
    "CreateFunction20150331__invictus-ir_2": _both(_OVERWRITE),
    "CreateFunction20150331__invictus-ir__InvalidParameterValueException": (_INVALID, _OVERWRITE),
    "CreateFunction20150331__invictus-ir__InvalidParameterValueException_2": (_INVALID, _OVERWRITE),
    "CreateFunction20150331__invictus-ir__InvalidParameterValueException_3": (_INVALID, _OVERWRITE),
    "CreateFunction20150331__invictus-ir__InvalidParameterValueException_4": (_INVALID, _OVERWRITE),
    "CreateFunction20150331__stackd-native-2026__DENIED-WITHOUT-errorCode": _both(f"{FAILED}: no response"),
    "CreateFunction20150331__stackd-native-2026__InvalidParameterValueException__bucket-only": _both(_INVALID),
    "CreateFunction20150331__stackd-native-2026__InvalidParameterValueException__missing-bucket": _both(_INVALID),
    "CreateFunction20150331__stackd-native-2026__InvalidParameterValueException__role-not-assumable": (
        _INVALID,
        _recorded(_STACKD, "stackd-s3code-2d461b98-warm"),
    ),
    "CreateFunction20150331__stackd-native-2026__InvalidParameterValueException__role-not-assumable_2": (
        _INVALID,
        _recorded(_STACKD, "stackd-s3code-2d461b98-warm"),
    ),
    "CreateFunction20150331__stackd-native-2026__InvalidParameterValueException__s3-bucket-policy": _both(_INVALID),
    "CreateFunction20150331__stackd-native-2026__assumed-role": _both(
        _recorded(_STACKD, "stackd-s3code-a14f509c-version")
    ),
    "CreateFunction20150331__stackd-native-2026__custom-loggroup": _both(
        _recorded(_STACKD, "stackd-s3code-a14f509c-copy")
    ),
    "CreateFunction20150331__stackd-native-2026__publish-copy": _both(_recorded(_STACKD, "stackd-s3code-a14f509c-fn")),
    "CreateFunction20150331__stackd-native-2026__publish-s3-reference": _both(
        _recorded(_STACKD, "stackd-s3code-2d461b98-never-invoked")
    ),
    "CreateFunction20150331__stackd-native-2026__publish-s3-reference_2": _both(
        _recorded(_STACKD, "stackd-s3code-2d461b98-warm")
    ),
    "CreatePolicy__invictus-ir": UnknownEventError,
    "CreatePolicy__invictus-ir_2": UnknownEventError,
    "CreateRole__invictus-ir": _stratus_role("ec2-get-password-data-role"),
    "CreateRole__invictus-ir_2": _stratus_role("ec2-steal-credentials-role"),
    "CreateRole__invictus-ir_3": _stratus_role("remove-flow-logs-role"),
    "DeleteFunction20150331__aws-docs": _both(_recorded("111122223333", "basic-node-task")),
    "DeleteFunction20150331__invictus-ir": _both(_BACKDOOR),
    "DeleteFunction20150331__invictus-ir_2": _both(_OVERWRITE),
    "DeleteFunction20150331__pasted-log-8239984532__ResourceNotFoundException__cloudformation": _both(
        f"{FAILED}: ResourceNotFoundException"
    ),
    "DeletePolicy__invictus-ir": _both(NEVER),
    "DeletePolicy__invictus-ir_2": _both(NEVER),
    "DeleteRolePolicy__invictus-ir": _stratus_role("remove-flow-logs-role"),
    "DeleteRolePolicy__invictus-ir_2": _stratus_role("get-usr-data-role"),
    "DeleteRolePolicy__invictus-ir_3": _stratus_role("ec2-steal-credentials-role"),
    "DeleteRole__invictus-ir": _stratus_role("usr-data-role"),
    "DeleteRole__invictus-ir_2": _stratus_role("ec2lui-role-pcccexdthk"),
    "DeleteRole__invictus-ir_3": _stratus_role("ec2-get-password-data-role"),
    "DetachRolePolicy__invictus-ir": _stratus_role("usr-data-role"),
    "DetachRolePolicy__invictus-ir_2": _stratus_role("ec2lui-role-pcccexdthk"),
    "DetachRolePolicy__invictus-ir_3": _stratus_role("ec2-steal-credentials-role"),
    "GetAccountAuthorizationDetails__invictus-ir": UnknownEventError,
    "GetFunction20150331v2__invictus-ir": UnknownEventError,
    "GetFunction20150331v2__invictus-ir_2": UnknownEventError,
    "GetFunction20150331v2__invictus-ir_3": UnknownEventError,
    "GetFunctionCodeSigningConfig__invictus-ir": UnknownEventError,
    "GetFunctionCodeSigningConfig__invictus-ir_2": UnknownEventError,
    "GetFunctionCodeSigningConfig__invictus-ir_3": UnknownEventError,
    "GetFunction__aws-docs__AccessDenied": UnknownEventError,
    "InvokeExecution__blog-40670456179__DATA-EVENT-async": UnknownEventError,
    "Invoke__blog-40670456179__DATA-EVENT-events-service": UnknownEventError,
    "Invoke__blog-40670456179__DATA-EVENT-states-role": UnknownEventError,
    "LambdaESMDisabled__aws-docs-2022__PARTIAL": MalformedEventError,
    "PutRolePolicy__invictus-ir": _stratus_role("ec2-get-password-data-role"),
    "PutRolePolicy__invictus-ir_2": _stratus_role("ec2-steal-credentials-role"),
    "PutRolePolicy__invictus-ir_3": _stratus_role("leave-org-role"),
    "RemovePermission20150331v2__invictus-ir": (_BACKDOOR, OTHER_SCOPE),
    "UpdateAssumeRolePolicy__invictus-ir": _stratus_role("backdoor-r-role"),
    "UpdateAssumeRolePolicy__invictus-ir_2": _stratus_role("backdoor-r-role"),
    "UpdateFunctionCode20150331v2__elastic-integrations__PARTIAL": MalformedEventError,
    "UpdateFunctionCode20150331v2__invictus-ir": _both(_OVERWRITE),
    "UpdateFunctionCode20150331v2__invictus-ir_2": _both(_OVERWRITE),
}

DIRECTIONS = (Direction.INVOKE_POLICY, Direction.EXECUTION_ROLE)
READABLE = [name for name, expected in EXPECTED.items() if expected is not MalformedEventError]

FROM_CLOUDFORMATION = {"DeleteFunction20150331__pasted-log-8239984532__ResourceNotFoundException__cloudformation"}
FROM_NO_KNOWN_TOOL = {
    # Made by people, the console and services: boto3, a simulated attack, `AWS Internal`, services that invoke.
    "AddPermission20150331v2__invictus-ir",
    "CreateEventSourceMapping20150331__aws-docs",
    "DeleteFunction20150331__aws-docs",
    "GetAccountAuthorizationDetails__invictus-ir",
    "GetFunction__aws-docs__AccessDenied",
    "InvokeExecution__blog-40670456179__DATA-EVENT-async",
    "Invoke__blog-40670456179__DATA-EVENT-events-service",
    "Invoke__blog-40670456179__DATA-EVENT-states-role",
    "RemovePermission20150331v2__invictus-ir",
    "UpdateAssumeRolePolicy__invictus-ir",
    "UpdateAssumeRolePolicy__invictus-ir_2",
    "UpdateFunctionCode20150331v2__invictus-ir",
    "UpdateFunctionCode20150331v2__invictus-ir_2",
} | {name for name in EXPECTED if "__stackd-native-2026" in name}
"""Terraform made all other calls: it created the resources that were attacked."""


def load(name: str) -> Any:
    """Load a record and wrap it in the part of the envelope that is read."""
    record = json.loads((CLOUDTRAIL / f"{name}.json").read_text())
    return {"detail-type": "AWS API Call via CloudTrail", "detail": record}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED)
def test_every_recorded_event_has_the_expected_targets_or_error(
    name: str, expected: tuple[Target | str, Target | str] | type[MalformedEventError]
) -> None:
    """For both scopes: the target, or no target and a reason, or an error."""
    if isinstance(expected, type):
        for direction in DIRECTIONS:
            with pytest.raises(MalformedEventError) as error:
                targets_of_record(parse_record(load(name)), direction)
            assert type(error.value) is expected
        return
    for direction, outcome in zip(DIRECTIONS, expected, strict=True):
        found = targets_of_record(parse_record(load(name)), direction)
        if isinstance(outcome, str):
            assert found.targets == ()
            assert outcome in found.reason
        else:
            assert found.targets == (outcome,)
            assert found.reason == ""


def test_every_recorded_event_is_in_the_table_of_this_test() -> None:
    """The table has no other events."""
    assert {path.stem for path in CLOUDTRAIL.glob("*.json")} == EXPECTED.keys()
    assert EXPECTED.keys() >= FROM_CLOUDFORMATION | FROM_NO_KNOWN_TOOL


@pytest.mark.parametrize("name", READABLE)
def test_the_tool_of_every_recorded_event_is_recognized(name: str) -> None:
    """From real identities, addresses and user agents."""
    tool = "" if name in FROM_NO_KNOWN_TOOL else "cloudformation" if name in FROM_CLOUDFORMATION else "terraform"
    assert parse_record(load(name)).tool == tool


@pytest.mark.parametrize("name", READABLE)
def test_targets_have_a_tool_only_if_it_made_a_change(name: str) -> None:
    """A denied call or an ignored event made no change."""
    record = parse_record(load(name))
    for direction in DIRECTIONS:
        try:
            found = targets_of_record(record, direction)
        except UnknownEventError:
            continue
        assert found.tool == (record.tool if found.targets and not found.denied_call else "")


@pytest.mark.parametrize("name", [name for name in READABLE if "CreateFunction" in name])
def test_a_function_that_was_not_created_is_a_denied_call_if_the_role_is_the_cause(name: str) -> None:
    """It has the requested role and AWS's message."""
    record = parse_record(load(name))
    denied_call = targets_of_record(record, Direction.EXECUTION_ROLE).denied_call
    if "cannot be assumed" not in record.error_message:
        assert denied_call is None
        return
    assert denied_call is not None
    assert denied_call.role_arn == record.request["role"]
    assert denied_call.function_arn.endswith(f":{record.account}:function:{record.request['functionName']}")
    assert denied_call.message == "The role defined for the function cannot be assumed by Lambda."
