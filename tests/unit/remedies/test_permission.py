"""AddPermission's parameters: from a statement, to a statement, and as AWS CLI, SAM and Terraform text."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.remedies.permission import Permission, permissions_of, sid, statement_of
from tests.fakes import ACCOUNT, FUNCTION_ARN

ALIAS_ARN = f"{FUNCTION_ARN}:live"
TOPIC = "arn:aws:sns:us-east-1:123456789012:new-orders"
SKILL = "amzn1.ask.skill.0a1b2c3d-1111-2222-3333-444455556666"

PERMISSIONS = st.builds(
    Permission,
    region=st.just("us-east-1"),
    function_name=st.just("orders"),
    qualifier=st.sampled_from(["", "live", "7"]),
    statement_id=st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,99}", fullmatch=True),
    action=st.sampled_from(["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:invokeFunction", "lambda:*"]),
    principal=st.sampled_from(["*", "s3.amazonaws.com", "arn:aws:iam::111122223333:role/deploy", "111122223333"]),
    source_arn=st.sampled_from(["", TOPIC, "arn:aws:s3:::example-*", "arn:aws:logs:us-east-1:123456789012:x:*"]),
    source_account=st.sampled_from(["", ACCOUNT]),
    principal_org_id=st.sampled_from(["", "o-exampleorg1"]),
    event_source_token=st.sampled_from(["", SKILL]),
    function_url_auth_type=st.sampled_from(["", "NONE", "AWS_IAM"]),
    invoked_via_function_url=st.booleans(),
)


def statement(**elements: Any) -> dict[str, Any]:
    """Return a statement for a topic."""
    return {
        "Sid": "topic",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
        **elements,
    }


def arn_of(permission: Permission) -> str:
    """Return the ARN whose policy a permission belongs to."""
    return f"{FUNCTION_ARN}:{permission.qualifier}" if permission.qualifier else FUNCTION_ARN


@given(PERMISSIONS)
def test_a_permission_is_unchanged_after_a_round_trip(permission: Permission) -> None:
    """From the parameters to the statement and back."""
    arn = arn_of(permission)
    assert permissions_of(statement_of(permission, arn), arn) == (permission,)


@given(PERMISSIONS)
def test_the_resource_for_sam_is_valid_yaml_with_the_same_values(permission: Permission) -> None:
    """Accounts and `*` stay strings, and a flag stays a boolean."""
    resource = yaml.safe_load(permission.to_sam())
    assert resource["Type"] == "AWS::Lambda::Permission"
    others = {"function_name", "qualifier", "statement_id"}
    values = [value for name, value in permission.values.items() if name not in others]
    assert [*resource["Properties"].values()] == [permission.function, *values]


@given(PERMISSIONS)
def test_the_words_of_the_command_are_the_values(permission: Permission) -> None:
    """They are quoted for the shell."""
    words = shlex.split(permission.to_cli())
    assert words[:5] == ["aws", "lambda", "add-permission", "--region", "us-east-1"]
    assert [word for word in words[5:] if not word.startswith("--")] == [
        value for value in permission.values.values() if value is not True
    ]
    assert ("--invoked-via-function-url" in words) == permission.invoked_via_function_url


@given(PERMISSIONS)
def test_the_resource_for_terraform_has_a_line_for_each_value(permission: Permission) -> None:
    """And a label that Terraform accepts."""
    head, *lines, tail = permission.to_terraform().splitlines()
    assert re.fullmatch(r'resource "aws_lambda_permission" "[a-z][a-z0-9_]*" \{', head)
    assert tail == "}"
    pairs = [line.split(" = ", 1) for line in lines]
    assert {name.strip(): json.loads(value) for name, value in pairs} == permission.values


def test_each_source_of_a_list_is_one_permission() -> None:
    """So is each principal and each action; the Sids are numbered."""
    found = permissions_of(
        statement(
            Principal={"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
            Action=["lambda:InvokeFunction", "lambda:GetFunction"],
            Condition={"ArnLike": {"AWS:SourceArn": [TOPIC, f"{TOPIC}-2"]}},
        ),
        FUNCTION_ARN,
    )
    assert [item.statement_id for item in found] == [f"topic-{number}" for number in range(1, 9)]
    assert len({(item.principal, item.action, item.source_arn) for item in found}) == 8


@pytest.mark.parametrize("operator", ["ArnLike", "ArnEquals", "StringLike"])
def test_operators_that_are_equal_for_such_an_arn_are_read(operator: str) -> None:
    """AddPermission writes only one of them."""
    (permission,) = permissions_of(statement(Condition={operator: {"aws:sourcearn": TOPIC}}), FUNCTION_ARN)
    assert statement_of(permission, FUNCTION_ARN)["Condition"] == {"ArnLike": {"AWS:SourceArn": TOPIC}}


@pytest.mark.parametrize(
    "elements",
    [
        {"Effect": "Deny"},
        {"Resource": f"{FUNCTION_ARN}:*"},
        {"Resource": ALIAS_ARN},
        {"Action": ["lambda:Invoke*"]},
        {"Action": 7},
        {"Principal": {"Federated": "accounts.google.com"}},
        {"Principal": {"Service": "*"}},
        {"Principal": {"AWS": "arn:aws:iam::*:root"}},
        {"Principal": {"AWS": ["111122223333", 7]}},
        {"Principal": "sns.amazonaws.com"},
        {"Principal": None},
        {"Condition": "none"},
        {"Condition": {"StringEquals": "none"}},
        {"Condition": {"StringEquals": {"AWS:SourceArn": TOPIC}}},
        {"Condition": {"StringEquals": {"aws:SourceOrgID": "o-exampleorg1"}}},
        {"Condition": {"StringEqualsIfExists": {"AWS:SourceAccount": ACCOUNT}}},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": [ACCOUNT, "111122223333"]}}},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": "${aws:ResourceAccount}"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-short"}}},
        {"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:sns:*:123456789012:orders"}}},
        {"Condition": {"ArnLike": {"AWS:SourceArn": TOPIC}, "ArnEquals": {"aws:SourceArn": TOPIC}}},
        {"Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "false"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ],
    ids=json.dumps,
)
def test_a_statement_that_add_permission_cannot_express_has_no_permission(elements: dict[str, Any]) -> None:
    """A part of it would be another statement."""
    assert permissions_of(statement(**elements), FUNCTION_ARN) == ()


def test_a_statement_without_principal_or_action_has_no_permission() -> None:
    """It has NotPrincipal or NotAction."""
    without = statement(NotPrincipal={"AWS": ACCOUNT})
    del without["Principal"]
    assert permissions_of(without, FUNCTION_ARN) == ()
    without = statement(NotAction="lambda:GetFunction")
    del without["Action"]
    assert permissions_of(without, FUNCTION_ARN) == ()


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("uploads", "-scoped", "uploads-scoped"),
        ("dots.and dots", "", "dots-and-dots"),
        ("a" * 120, "-scoped", "a" * 93 + "-scoped"),
        ("--uploads", "", "uploads"),
        ("---", "-scoped", "scoped"),
        ("", "", "permission"),
    ],
)
def test_the_api_accepts_a_sid_and_the_cli_does_not_read_it_as_an_option(name: str, suffix: str, expected: str) -> None:
    """The AWS CLI reads a leading dash as an option."""
    assert sid(name, suffix) == expected


@pytest.mark.parametrize("name", ["on", "No", "y", "null", "true", "orders:", "1e3", "012345678901"])
def test_names_that_yaml_does_not_read_as_a_string_stay_strings(name: str) -> None:
    """A function can have the name `on`."""
    permission = Permission(function_name=name, statement_id="s", action="lambda:InvokeFunction", principal="*")
    assert yaml.safe_load(permission.to_sam())["Properties"]["FunctionName"] == name


def test_a_policy_variable_is_escaped_for_terraform() -> None:
    """Terraform would evaluate or reject it as a template."""
    permission = Permission(function_name="orders", statement_id="7", action="lambda:*", principal="*")
    text = replace(permission, source_arn="arn:aws:s3:::${aws:userid}-%{x}").to_terraform()
    assert '"arn:aws:s3:::$${aws:userid}-%%{x}"' in text
    assert text.startswith('resource "aws_lambda_permission" "orders_7_')
