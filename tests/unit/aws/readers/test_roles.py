"""Reading roles: every policy that applies to one, in every form in which IAM returns it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.readers.roles import MAX_AGE_SECONDS, AwsManagedPolicies, RoleReader
from permission_guard.iam import Policy
from permission_guard.model.state import Role, Unread
from permission_guard.model.targets import PolicyTarget, RoleTarget
from tests.fakes import ACCOUNT, ROLE_ARN, SQS_POLICY_ARN, TRUST_LAMBDA, allow

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Answers

OWN_ARN = f"arn:aws:iam::{ACCOUNT}:policy/orders"
LIMITS_ARN = f"arn:aws:iam::{ACCOUNT}:policy/limits"
CREATED = "2026-11-20T09:30:00Z"


def encoded(document: dict[str, Any]) -> str:
    """Return a document as the IAM API sends it."""
    return quote(json.dumps(document, indent=2))


def role_reply(**more: Any) -> dict[str, Any]:
    """Return a GetRole reply."""
    role = {
        "Path": "/service-role/",
        "RoleName": "orders-role",
        "RoleId": "AROAEXAMPLEORDERS0001",
        "Arn": ROLE_ARN,
        "CreateDate": CREATED,
        "AssumeRolePolicyDocument": encoded(TRUST_LAMBDA),
    }
    return {"Role": {**role, **more}}


def attached(*arns: str, **more: Any) -> dict[str, Any]:
    """Return a ListAttachedRolePolicies reply."""
    return {"AttachedPolicies": [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in arns], **more}


def inline(document: dict[str, Any], name: str = "own") -> dict[str, Any]:
    """Return a GetRolePolicy reply."""
    return {"RoleName": "orders-role", "PolicyName": name, "PolicyDocument": encoded(document)}


def managed(answers: Answers, arn: str, document: dict[str, Any]) -> None:
    """Answer for a managed policy whose second version is the default."""
    answers.say("get_policy", {"Policy": {"Arn": arn, "DefaultVersionId": "v2"}}, PolicyArn=arn)
    version = {"VersionId": "v2", "IsDefaultVersion": True, "Document": encoded(document)}
    answers.say("get_policy_version", {"PolicyVersion": version}, PolicyArn=arn, VersionId="v2")


def read(answers: Answers) -> Role:
    """Read the role."""
    role = RoleReader(answers.client).role(ROLE_ARN)
    assert isinstance(role, Role)
    return role


def actions(policy: Policy | Unread | None) -> list[str]:
    """Return the actions of a policy's first statement."""
    assert isinstance(policy, Policy)
    return list(policy.statements[0].action_texts)


def test_a_role_is_read_with_all_its_policies(iam_answers: Answers) -> None:
    """Managed and inline policies, the boundary, tags and trust policy are read. IAM URL-encodes documents."""
    say = iam_answers.say
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": LIMITS_ARN}
    say(
        "get_role",
        role_reply(Tags=[{"Key": "team", "Value": "orders"}], PermissionsBoundary=boundary),
        RoleName="orders-role",
    )
    say("list_attached_role_policies", attached(SQS_POLICY_ARN, IsTruncated=True, Marker="m"), RoleName="orders-role")
    say("list_attached_role_policies", attached(OWN_ARN), RoleName="orders-role", Marker="m")
    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:ReceiveMessage"))
    managed(iam_answers, OWN_ARN, allow("sqs:DeleteMessage"))
    names = {"PolicyNames": ["first"], "IsTruncated": True, "Marker": "m"}
    say("list_role_policies", names, RoleName="orders-role")
    say("list_role_policies", {"PolicyNames": ["second"]}, RoleName="orders-role", Marker="m")
    say("get_role_policy", inline(allow("logs:*")), RoleName="orders-role", PolicyName="first")
    say("get_role_policy", inline(allow("xray:*")), RoleName="orders-role", PolicyName="second")
    managed(iam_answers, LIMITS_ARN, allow("*"))
    role = read(iam_answers)
    assert (role.arn, role.name, role.path) == (ROLE_ARN, "orders-role", "/service-role/")
    assert role.tags == {"team": "orders"}
    assert role.trust_policy.statements[0].action_texts == ("sts:AssumeRole",)
    assert {arn: actions(policy) for arn, policy in role.attached.items()} == {
        SQS_POLICY_ARN: ["sqs:ReceiveMessage"],
        OWN_ARN: ["sqs:DeleteMessage"],
    }
    assert {name: actions(policy) for name, policy in role.inline.items()} == {
        "first": ["logs:*"],
        "second": ["xray:*"],
    }
    assert role.boundary_arn == LIMITS_ARN
    assert actions(role.boundary) == ["*"]


def test_a_role_may_have_no_policies_tags_or_boundary(iam_answers: Answers) -> None:
    """IAM leaves their fields out of its reply."""
    iam_answers.say("get_role", role_reply())
    iam_answers.say("list_attached_role_policies", attached())
    iam_answers.say("list_role_policies", {"PolicyNames": []})
    role = read(iam_answers)
    assert (role.tags, role.attached, role.inline, role.boundary_arn, role.boundary) == ({}, {}, {}, None, None)


def test_a_role_that_does_not_exist_is_none(iam_answers: Answers) -> None:
    """The role was deleted and the function still refers to it."""
    iam_answers.fail("get_role", "NoSuchEntity", status=404)
    assert RoleReader(iam_answers.client).role(ROLE_ARN) is None


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
@pytest.mark.parametrize("operation", ["get_role", "list_attached_role_policies", "list_role_policies"])
def test_a_role_whose_policies_cannot_be_listed_is_unread(iam_answers: Answers, operation: str, code: str) -> None:
    """A part of the policies decides nothing. The action names the missing permission."""
    replies = {
        "get_role": role_reply(),
        "list_attached_role_policies": attached(),
        "list_role_policies": {"PolicyNames": []},
    }
    for name, reply in replies.items():
        if name == operation:
            iam_answers.fail(name, code)
            if name != "get_role":
                continue
            break
        iam_answers.say(name, reply)
    api = {"get_role": "GetRole", "list_attached_role_policies": "ListAttachedRolePolicies"}
    action = f"iam:{api.get(operation, 'ListRolePolicies')}"
    assert RoleReader(iam_answers.client).role(ROLE_ARN) == Unread(action, code, "no", denied=code == "AccessDenied")


@pytest.mark.parametrize("deleted_at", ["list_attached_role_policies", "list_role_policies"])
def test_a_role_deleted_while_it_is_read_does_not_exist(iam_answers: Answers, deleted_at: str) -> None:
    """The first call still finds the role."""
    iam_answers.say("get_role", role_reply())
    for name, reply in (("list_attached_role_policies", attached()), ("list_role_policies", {"PolicyNames": []})):
        if name == deleted_at:
            iam_answers.fail(name, "NoSuchEntity", status=404)
        else:
            iam_answers.say(name, reply)
    assert RoleReader(iam_answers.client).role(ROLE_ARN) is None


def test_one_unread_policy_does_not_affect_the_others(iam_answers: Answers) -> None:
    """Both managed and inline policies may fail. An inline policy deleted meanwhile is skipped."""
    iam_answers.say("get_role", role_reply())
    iam_answers.say("list_attached_role_policies", attached(SQS_POLICY_ARN, OWN_ARN))
    iam_answers.fail("get_policy", "AccessDenied")
    managed(iam_answers, OWN_ARN, allow("sqs:*"))
    iam_answers.say("list_role_policies", {"PolicyNames": ["deleted", "denied", "own"]})
    iam_answers.fail("get_role_policy", "NoSuchEntity", status=404)
    iam_answers.fail("get_role_policy", "AccessDenied")
    iam_answers.say("get_role_policy", inline(allow("logs:*")))
    role = read(iam_answers)
    assert role.attached[SQS_POLICY_ARN] == Unread("iam:GetPolicy", "AccessDenied", "no", denied=True)
    assert actions(role.attached[OWN_ARN]) == ["sqs:*"]
    assert set(role.inline) == {"denied", "own"}
    assert role.inline["denied"] == Unread("iam:GetRolePolicy", "AccessDenied", "no", denied=True)


@pytest.mark.parametrize(
    ("code", "denied", "expected"),
    [
        ("AccessDenied", True, Unread("iam:GetPolicyVersion", "AccessDenied", "no", denied=True)),
        (
            "NoSuchEntity",
            False,
            Unread("iam:GetPolicyVersion", "NoSuchEntity", f"{OWN_ARN} has no version v7", denied=False),
        ),
    ],
)
def test_a_version_that_cannot_be_read_is_not_an_empty_policy(
    iam_answers: Answers, code: str, denied: bool, expected: Unread
) -> None:
    """The default version was replaced and deleted meanwhile, or the read was denied."""
    iam_answers.say("get_policy", {"Policy": {"Arn": OWN_ARN, "DefaultVersionId": "v7"}})
    iam_answers.fail("get_policy_version", code)
    assert RoleReader(iam_answers.client).managed_policy(OWN_ARN) == expected
    assert expected.denied is denied


def test_a_managed_policy_that_does_not_exist_is_unread(iam_answers: Answers) -> None:
    """The policy was attached a moment ago, and what it allowed is unknown."""
    iam_answers.fail("get_policy", "NoSuchEntity", status=404)
    assert RoleReader(iam_answers.client).managed_policy(OWN_ARN) == Unread(
        "iam:GetPolicy", "NoSuchEntity", f"{OWN_ARN} does not exist", denied=False
    )


def test_a_managed_policy_is_read_once_in_a_batch(iam_answers: Answers) -> None:
    """Most roles of an account share a few policies."""
    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:*"))
    reader = RoleReader(iam_answers.client)
    assert reader.managed_policy(SQS_POLICY_ARN) is reader.managed_policy(SQS_POLICY_ARN)


def test_a_customer_managed_policy_is_read_again_after_the_cache_is_cleared(iam_answers: Answers) -> None:
    """A repeated check must not use older state than the check that overtook it."""
    reader = RoleReader(iam_answers.client)
    for action in ("sqs:First", "sqs:Second"):
        managed(iam_answers, OWN_ARN, allow(action))
        assert actions(reader.managed_policy(OWN_ARN)) == [action]
        reader.forget()


def test_an_aws_managed_policy_is_cached_across_batches_until_it_expires(iam_answers: Answers) -> None:
    """It is read again when it is too old and when the clock was set back."""
    now = 1_000_000.0
    memory = AwsManagedPolicies(lambda: now)

    def read_it() -> list[str]:
        return actions(RoleReader(iam_answers.client, memory).managed_policy(SQS_POLICY_ARN))

    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:First"))
    assert read_it() == read_it() == ["sqs:First"]
    now += MAX_AGE_SECONDS - 1
    assert read_it() == ["sqs:First"]
    now += 1
    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:Second"))
    assert read_it() == read_it() == ["sqs:Second"]
    now -= 1
    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:Third"))
    assert read_it() == ["sqs:Third"]
    iam_answers.all_were_asked_for()


def test_a_customer_managed_policy_is_read_again_in_each_batch(iam_answers: Answers) -> None:
    """The policy may have just been changed."""
    memory = AwsManagedPolicies()
    for action in ("sqs:First", "sqs:Second"):
        managed(iam_answers, OWN_ARN, allow(action))
        assert actions(RoleReader(iam_answers.client, memory).managed_policy(OWN_ARN)) == [action]


def test_a_failed_read_of_a_policy_is_not_cached(iam_answers: Answers) -> None:
    """The next batch tries again."""
    memory = AwsManagedPolicies()
    iam_answers.fail("get_policy", "Throttling")
    assert isinstance(RoleReader(iam_answers.client, memory).managed_policy(SQS_POLICY_ARN), Unread)
    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:*"))
    assert actions(RoleReader(iam_answers.client, memory).managed_policy(SQS_POLICY_ARN)) == ["sqs:*"]


ORDERS_POLICY = PolicyTarget(ACCOUNT, OWN_ARN)


def having(*names: str, **more: Any) -> dict[str, Any]:
    """Return a ListEntitiesForPolicy reply."""
    return {"PolicyRoles": [{"RoleName": name, "RoleId": f"AROA{name:0>16}"} for name in names], **more}


def test_the_roles_of_a_policy_include_those_that_have_it_as_boundary(iam_answers: Answers) -> None:
    """All pages are read. Without a usage filter, IAM lists attachments and boundaries."""
    asked = {"PolicyArn": OWN_ARN, "EntityFilter": "Role"}
    iam_answers.say("list_entities_for_policy", having("first", "second", IsTruncated=True, Marker="m"), **asked)
    iam_answers.say("list_entities_for_policy", having("third"), **asked, Marker="m")
    found = RoleReader(iam_answers.client).roles_of_policy(ORDERS_POLICY)
    assert found == tuple(RoleTarget(ACCOUNT, name) for name in ("first", "second", "third"))


def test_a_deleted_policy_has_no_roles(iam_answers: Answers) -> None:
    """IAM only deletes a policy that no role has."""
    iam_answers.fail("list_entities_for_policy", "NoSuchEntity", status=404)
    assert RoleReader(iam_answers.client).roles_of_policy(ORDERS_POLICY) == ()


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "ServiceFailure"])
def test_a_failed_list_of_the_roles_of_a_policy_is_an_error(iam_answers: Answers, code: str) -> None:
    """The error has the message retried."""
    iam_answers.fail("list_entities_for_policy", code)
    with pytest.raises(ClientError, match=code):
        RoleReader(iam_answers.client).roles_of_policy(ORDERS_POLICY)


def test_a_role_is_read_over_the_wire_as_it_was_written(moto_account: None) -> None:
    """The reply uses the query protocol, XML and URL encoding."""
    iam = boto3.client("iam")
    limits = iam.create_policy(PolicyName="limits", PolicyDocument=json.dumps(allow("*")))["Policy"]["Arn"]
    iam.create_role(
        RoleName="orders-role",
        Path="/service-role/",
        AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA),
        PermissionsBoundary=limits,
        Tags=[{"Key": "team", "Value": "orders & co"}],
    )
    own = allow("sqs:*", Condition={"StringLike": {"aws:PrincipalTag/team": "or?ers+% & co"}})
    iam.put_role_policy(RoleName="orders-role", PolicyName="own", PolicyDocument=json.dumps(own))
    policy = iam.create_policy(PolicyName="orders", PolicyDocument=json.dumps(allow("a:b")))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(allow("c:d")), SetAsDefault=True)
    iam.attach_role_policy(RoleName="orders-role", PolicyArn=policy)
    role = RoleReader(iam).role(ROLE_ARN)
    assert isinstance(role, Role)
    assert role.tags == {"team": "orders & co"}
    assert isinstance(role.inline["own"], Policy)
    assert role.inline["own"].document == own
    assert actions(role.attached[policy]) == ["c:d"]
    assert role.boundary_arn == limits
    assert actions(role.boundary) == ["*"]
