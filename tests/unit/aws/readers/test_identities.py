"""Reading all roles and users of an account: every policy that applies to one, its groups' among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from permission_guard.aws.readers.identities import ACTION, IdentityReader
from permission_guard.iam import Policy
from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, TRUST_LAMBDA, allow

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Answers

OPERATION = "get_account_authorization_details"
CREATED = "2026-11-20T09:30:00Z"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sns.amazonaws.com/AWSServiceRoleForSNS"
USER = f"arn:aws:iam::{ACCOUNT}:user/ann"
SHARED = f"arn:aws:iam::{ACCOUNT}:policy/shared"
GONE = f"arn:aws:iam::{ACCOUNT}:policy/gone"


def encoded(document: dict[str, Any]) -> str:
    """Return a document as the IAM API sends it."""
    return quote(json.dumps(document))


def attached(arn: str) -> dict[str, str]:
    """Return a managed policy as a role, user or group has it."""
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}


def inline(name: str) -> dict[str, str]:
    """Return an inline policy."""
    return {"PolicyName": name, "PolicyDocument": encoded(allow("lambda:InvokeFunction"))}


def a_role(arn: str = ROLE, **more: Any) -> dict[str, Any]:
    """Return a role of the list."""
    return {
        "Path": "/",
        "RoleName": arn.rpartition("/")[2],
        "RoleId": "AROAEXAMPLEDEPLOY0001",
        "Arn": arn,
        "CreateDate": CREATED,
        "AssumeRolePolicyDocument": encoded(TRUST_LAMBDA),
        **more,
    }


def a_user(**more: Any) -> dict[str, Any]:
    """Return a user of the list."""
    return {
        "Path": "/",
        "UserName": "ann",
        "UserId": "AIDAEXAMPLEANN000001",
        "Arn": USER,
        "CreateDate": CREATED,
        **more,
    }


def a_managed_policy(arn: str) -> dict[str, Any]:
    """Return a managed policy whose second version is the default."""
    versions = [
        {"VersionId": "v1", "IsDefaultVersion": False, "Document": encoded(allow("s3:*"))},
        {"VersionId": "v2", "IsDefaultVersion": True, "Document": encoded(allow("lambda:*"))},
    ]
    return {"Arn": arn, "PolicyName": arn.rpartition("/")[2], "DefaultVersionId": "v2", "PolicyVersionList": versions}


def test_a_role_and_a_user_have_all_their_policies(iam_answers: Answers) -> None:
    """Managed and inline ones, those of groups, the boundary, tags; from several pages."""
    role = a_role(
        AttachedManagedPolicies=[attached(SHARED), attached(GONE)],
        RolePolicyList=[inline("own")],
        PermissionsBoundary={"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": SHARED},
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    group = {
        "Path": "/",
        "GroupName": "admins",
        "GroupId": "AGPAEXAMPLEADMINS001",
        "Arn": f"arn:aws:iam::{ACCOUNT}:group/admins",
        "CreateDate": CREATED,
        "GroupPolicyList": [inline("all")],
        "AttachedManagedPolicies": [attached(SHARED)],
    }
    iam_answers.say(OPERATION, {"RoleDetailList": [role, a_role(LINKED)], "IsTruncated": True, "Marker": "more"})
    second = {
        "UserDetailList": [a_user(UserPolicyList=[inline("own")], GroupList=["admins", "new"])],
        "GroupDetailList": [group],
        "Policies": [a_managed_policy(SHARED)],
        "IsTruncated": False,
    }
    iam_answers.say(OPERATION, second, Marker="more")
    found = IdentityReader(iam_answers.client).read(ACCOUNT)
    assert found.unread is None
    linked, deploy, ann = found.identities
    assert (linked.is_service_linked, deploy.is_service_linked, deploy.is_role, ann.is_role) == (
        True,
        False,
        True,
        False,
    )
    assert set(deploy.policies) == {SHARED, GONE, "own"}
    assert set(ann.policies) == {"own", "group admins: all", f"group admins: {SHARED}", "group new"}
    shared = deploy.policies[SHARED]
    assert isinstance(shared, Policy)
    assert shared.statements[0].action_texts == ("lambda:*",)
    assert deploy.boundary is shared is ann.policies[f"group admins: {SHARED}"]
    assert (deploy.tags, deploy.boundary_arn) == ({"team": "shop"}, SHARED)
    assert isinstance(deploy.policies[GONE], Unread)
    assert isinstance(ann.policies["group new"], Unread)


def test_a_denied_list_is_unread(iam_answers: Answers) -> None:
    """And no account without roles."""
    iam_answers.fail(OPERATION, "AccessDenied", "not authorized", 403)
    found = IdentityReader(iam_answers.client).read(ACCOUNT)
    assert (found.identities, found.unread) == ((), Unread(ACTION, "AccessDenied", "not authorized", denied=True))
