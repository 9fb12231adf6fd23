"""Reading roles: every policy that bears on one, in every form in which IAM hands them out."""

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
    """Managed and inline, on every page, the boundary, the tags and the trust policy; documents come URL-encoded."""
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


def test_a_role_without_anything_is_a_role(iam_answers: Answers) -> None:
    """No tags, no policies, no boundary."""
    iam_answers.say("get_role", role_reply())
    iam_answers.say("list_attached_role_policies", attached())
    iam_answers.say("list_role_policies", {"PolicyNames": []})
    role = read(iam_answers)
    assert (role.tags, role.attached, role.inline, role.boundary_arn, role.boundary) == ({}, {}, {}, None, None)


def test_a_role_that_does_not_exist_is_none(iam_answers: Answers) -> None:
    """Deleted, and the function still names it."""
    iam_answers.fail("get_role", "NoSuchEntity", status=404)
    assert RoleReader(iam_answers.client).role(ROLE_ARN) is None


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
@pytest.mark.parametrize("operation", ["get_role", "list_attached_role_policies", "list_role_policies"])
def test_a_role_whose_policies_cannot_be_listed_is_unread(iam_answers: Answers, operation: str, code: str) -> None:
    """Half of the policies would tell nothing; the action says which permission may be missing."""
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


@pytest.mark.parametrize("gone_at", ["list_attached_role_policies", "list_role_policies"])
def test_a_role_that_goes_while_it_is_read_does_not_exist(iam_answers: Answers, gone_at: str) -> None:
    """Deleted in between."""
    iam_answers.say("get_role", role_reply())
    for name, reply in (("list_attached_role_policies", attached()), ("list_role_policies", {"PolicyNames": []})):
        if name == gone_at:
            iam_answers.fail(name, "NoSuchEntity", status=404)
        else:
            iam_answers.say(name, reply)
    assert RoleReader(iam_answers.client).role(ROLE_ARN) is None


def test_one_policy_that_cannot_be_read_leaves_the_others(iam_answers: Answers) -> None:
    """Managed and inline alike; an inline policy that went in between is passed over."""
    iam_answers.say("get_role", role_reply())
    iam_answers.say("list_attached_role_policies", attached(SQS_POLICY_ARN, OWN_ARN))
    iam_answers.fail("get_policy", "AccessDenied")
    managed(iam_answers, OWN_ARN, allow("sqs:*"))
    iam_answers.say("list_role_policies", {"PolicyNames": ["gone", "denied", "own"]})
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
def test_a_version_that_cannot_be_read_is_never_an_empty_policy(
    iam_answers: Answers, code: str, denied: bool, expected: Unread
) -> None:
    """The default version was replaced and deleted in between, or may not be read."""
    iam_answers.say("get_policy", {"Policy": {"Arn": OWN_ARN, "DefaultVersionId": "v7"}})
    iam_answers.fail("get_policy_version", code)
    assert RoleReader(iam_answers.client).managed_policy(OWN_ARN) == expected
    assert expected.denied is denied


def test_a_managed_policy_that_does_not_exist_is_unread(iam_answers: Answers) -> None:
    """It was attached a moment ago: what it allowed is not known."""
    iam_answers.fail("get_policy", "NoSuchEntity", status=404)
    assert RoleReader(iam_answers.client).managed_policy(OWN_ARN) == Unread(
        "iam:GetPolicy", "NoSuchEntity", f"{OWN_ARN} does not exist", denied=False
    )


def test_a_managed_policy_is_read_once_a_batch(iam_answers: Answers) -> None:
    """Most roles of an account have the same few."""
    managed(iam_answers, SQS_POLICY_ARN, allow("sqs:*"))
    reader = RoleReader(iam_answers.client)
    assert reader.managed_policy(SQS_POLICY_ARN) is reader.managed_policy(SQS_POLICY_ARN)


def test_a_reader_that_forgets_reads_a_customer_s_policy_anew(iam_answers: Answers) -> None:
    """A look that is made again must see what another one has seen."""
    reader = RoleReader(iam_answers.client)
    for action in ("sqs:First", "sqs:Second"):
        managed(iam_answers, OWN_ARN, allow(action))
        assert actions(reader.managed_policy(OWN_ARN)) == [action]
        reader.forget()


def test_an_aws_managed_policy_is_remembered_from_batch_to_batch_for_a_while(iam_answers: Answers) -> None:
    """Read once more when it is too old, and when the clock was set back."""
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


def test_a_customer_s_managed_policy_is_read_anew_in_each_batch(iam_answers: Answers) -> None:
    """It may be what has just been changed."""
    memory = AwsManagedPolicies()
    for action in ("sqs:First", "sqs:Second"):
        managed(iam_answers, OWN_ARN, allow(action))
        assert actions(RoleReader(iam_answers.client, memory).managed_policy(OWN_ARN)) == [action]


def test_a_policy_that_could_not_be_read_is_not_remembered(iam_answers: Answers) -> None:
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


def test_the_roles_of_a_policy_are_those_that_have_it_and_those_that_it_limits(iam_answers: Answers) -> None:
    """On every page. Where a use is not asked for, IAM lists boundaries with the rest."""
    asked = {"PolicyArn": OWN_ARN, "EntityFilter": "Role"}
    iam_answers.say("list_entities_for_policy", having("first", "second", IsTruncated=True, Marker="m"), **asked)
    iam_answers.say("list_entities_for_policy", having("third"), **asked, Marker="m")
    found = RoleReader(iam_answers.client).roles_of_policy(ORDERS_POLICY)
    assert found == tuple(RoleTarget(ACCOUNT, name) for name in ("first", "second", "third"))


def test_a_policy_that_is_gone_has_no_roles(iam_answers: Answers) -> None:
    """Deleted in between, which takes that nobody has it."""
    iam_answers.fail("list_entities_for_policy", "NoSuchEntity", status=404)
    assert RoleReader(iam_answers.client).roles_of_policy(ORDERS_POLICY) == ()


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "ServiceFailure"])
def test_a_refusal_to_list_the_roles_of_a_policy_is_not_taken_for_none(iam_answers: Answers, code: str) -> None:
    """It raises, so that the message comes again."""
    iam_answers.fail("list_entities_for_policy", code)
    with pytest.raises(ClientError, match=code):
        RoleReader(iam_answers.client).roles_of_policy(ORDERS_POLICY)


def test_a_role_is_read_over_the_wire_as_it_was_written(moto_account: None) -> None:
    """The query protocol, XML and URL-encoding included."""
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
