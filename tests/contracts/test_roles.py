"""What IAM answers about roles and their policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of, unique
from tests.fakes import ACCOUNT, LOGS, SQS_POLICY_ARN, TRUST_LAMBDA, allow

if TYPE_CHECKING:
    from tests.contracts.implementations import Aws

MISSING = "NoSuchEntity"


@pytest.fixture
def iam(aws: Aws) -> Any:
    """Return the client."""
    return aws.client("iam")


@pytest.fixture
def role(aws: Aws) -> str:
    """Make a role; return its name."""
    return make_role(aws)


def make_role(aws: Aws) -> str:
    """Make a role that Lambda may assume; return its name."""
    name = unique("role")
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
    return name


def attached(iam: Any, role: str) -> list[dict[str, str]]:
    """Return the managed policies of a role."""
    pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return [policy for page in pages for policy in page["AttachedPolicies"]]


def test_a_role_that_does_not_exist_is_an_error(iam: Any) -> None:
    """Its exception is NoSuchEntityException, and its code NoSuchEntity.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
    """
    name = unique("missing")

    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)
    codes = {
        code_of(iam.get_role, RoleName=name),
        code_of(iam.list_role_policies, RoleName=name),
        code_of(iam.list_attached_role_policies, RoleName=name),
        code_of(iam.attach_role_policy, RoleName=name, PolicyArn=SQS_POLICY_ARN),
    }

    assert codes == {MISSING}


def test_the_documents_of_policies_are_decoded(iam: Any, role: str) -> None:
    """IAM encodes them as in a URL, and the SDK decodes them.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
    """
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=json.dumps(allow(*LOGS)))

    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    inline = iam.get_role_policy(RoleName=role, PolicyName="own")["PolicyDocument"]
    version = iam.get_policy(PolicyArn=SQS_POLICY_ARN)["Policy"]["DefaultVersionId"]
    managed = iam.get_policy_version(PolicyArn=SQS_POLICY_ARN, VersionId=version)["PolicyVersion"]["Document"]

    assert trust == TRUST_LAMBDA
    assert inline == allow(*LOGS)
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage"} <= {*managed["Statement"][0]["Action"]}


def test_a_role_has_its_arn_and_its_path(iam: Any, role: str) -> None:
    """The path is part of the ARN.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
    """
    found = iam.get_role(RoleName=role)["Role"]

    assert (found["Arn"], found["RoleName"], found["Path"]) == (f"arn:aws:iam::{ACCOUNT}:role/{role}", role, "/")


def test_a_role_is_created_once(iam: Any, role: str) -> None:
    """A second one with its name is a conflict.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    code = code_of(iam.create_role, RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))

    assert code == "EntityAlreadyExists"


def test_attaching_a_policy_twice_is_no_error(iam: Any, role: str) -> None:
    """It is listed once, with its name and its ARN.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
    """
    before = attached(iam, role)

    for _ in range(2):
        iam.attach_role_policy(RoleName=role, PolicyArn=SQS_POLICY_ARN)

    assert before == []
    assert attached(iam, role) == [{"PolicyName": SQS_POLICY_ARN.rpartition("/")[2], "PolicyArn": SQS_POLICY_ARN}]


def test_a_detached_policy_cannot_be_detached_again(iam: Any, role: str) -> None:
    """The error is the one of a policy that does not exist.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html
    """
    iam.attach_role_policy(RoleName=role, PolicyArn=SQS_POLICY_ARN)
    iam.detach_role_policy(RoleName=role, PolicyArn=SQS_POLICY_ARN)

    assert attached(iam, role) == []
    assert code_of(iam.detach_role_policy, RoleName=role, PolicyArn=SQS_POLICY_ARN) == MISSING


@pytest.mark.differs(ministack="attaches it")
def test_a_policy_that_does_not_exist_is_an_error(iam: Any, role: str) -> None:
    """It is neither read nor attached.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
    """
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{unique('missing')}"

    assert code_of(iam.get_policy, PolicyArn=arn) == MISSING
    assert code_of(iam.attach_role_policy, RoleName=role, PolicyArn=arn) == MISSING
    assert attached(iam, role) == []


def test_inline_policies_are_listed_by_their_names(iam: Any, role: str) -> None:
    """A second PutRolePolicy replaces the document, and a deleted one is gone.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
    """
    for name, actions in (("own", LOGS), ("other", LOGS), ("own", ("sqs:*",))):
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(allow(*actions)))
    names = sorted(iam.list_role_policies(RoleName=role)["PolicyNames"])
    iam.delete_role_policy(RoleName=role, PolicyName="other")

    assert names == ["other", "own"]
    assert iam.get_role_policy(RoleName=role, PolicyName="own")["PolicyDocument"] == allow("sqs:*")
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["own"]
    assert code_of(iam.get_role_policy, RoleName=role, PolicyName="other") == MISSING
    assert code_of(iam.delete_role_policy, RoleName=role, PolicyName="other") == MISSING


def test_a_trust_policy_is_replaced(iam: Any, role: str) -> None:
    """Nothing of the old document is left.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
    """
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [statement]}

    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))

    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == document


def test_the_summary_of_the_account_has_the_quota_of_policies_of_a_role(iam: Any) -> None:
    """A fix attaches no more than that.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
    """
    summary = iam.get_account_summary()["SummaryMap"]

    assert summary["AttachedPoliciesPerRoleQuota"] >= 10
