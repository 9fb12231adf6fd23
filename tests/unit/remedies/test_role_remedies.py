"""The remedies of the findings on an execution role resolve them, and change nothing else."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Snapshot
from permission_guard.model.verdicts import Outcome, Remedy, Verdict
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.execution_role.role_overprivileged import RoleOverprivileged
from permission_guard.rules.execution_role.role_trust_too_broad import RoleTrustTooBroad
from tests.fakes import (
    ACCOUNT,
    FUNCTION_ARN,
    REGION,
    ROLE_ARN,
    TARGET,
    TRUST_LAMBDA,
    a_function,
    a_role,
    allow,
    statement,
)
from tests.unit.remedies.account import Account

if TYPE_CHECKING:
    from permission_guard.model.state import Role
    from permission_guard.rules import Rule

NO_TRUST = TrustSet(frozenset())
LAMBDA = TRUST_LAMBDA["Statement"][0]
OTHER = "999988887777"
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
WEB = "sts:AssumeRoleWithWebIdentity"


def trusting(*statements: Any) -> Role:
    """Return a role with a trust policy."""
    return replace(a_role(), trust_policy=parse_policy({"Version": "2012-10-17", "Statement": list(statements)}))


def trust(principal: Any, action: str = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    """Return a statement of a trust policy."""
    return {"Effect": "Allow", "Principal": principal, "Action": action, **more}


def deny(principal: Any, **more: Any) -> dict[str, Any]:
    """Return a statement of a trust policy that denies."""
    return {**trust(principal, **more), "Effect": "Deny"}


def check(rule: type[Rule], role: Role | None) -> list[Verdict]:
    """Return a rule's verdicts on a function with a role."""
    versions = {FUNCTION_ARN: a_function()}
    snapshot = Snapshot(TARGET, a_function(), versions=versions, roles={ROLE_ARN: role})
    return list(evaluate(snapshot, [rule(NO_TRUST)]).verdicts)


def violation(rule: type[Rule], role: Role | None) -> Verdict:
    """Return the only violation."""
    (found,) = [verdict for verdict in check(rule, role) if verdict.outcome is Outcome.VIOLATION]
    return found


def remedy(verdict: Verdict, kind: str) -> str:
    """Return one remedy."""
    return next(item.text for item in verdict.remedies if item.kind == kind)


def pasted(verdict: Verdict, role: Role) -> list[dict[str, Any]]:
    """Return the statements of the role's trust policy after the command."""
    reply = {"RoleName": role.name, "Path": role.path, "AssumeRolePolicyDocument": role.trust_policy.document}
    account = Account({"roles": [{"Role": reply}]}, REGION, ACCOUNT)
    account.paste(remedy(verdict, "aws-cli"))
    statements: list[dict[str, Any]] = account.case["roles"][0]["Role"]["AssumeRolePolicyDocument"]["Statement"]
    return statements


def after(rule: type[Rule], *statements: Any) -> list[dict[str, Any]]:
    """Return the statements after the remedy of the only violation of a rule."""
    return pasted(violation(rule, trusting(*statements)), trusting(*statements))


@pytest.mark.parametrize(
    "statements",
    [
        [trust({"Service": "states.amazonaws.com"})],
        [trust({"Service": "lambda.amazonaws.com"}, Condition={"StringEquals": {"aws:SourceAccount": OTHER}})],
        [LAMBDA, deny({"AWS": "*"})],
        [LAMBDA, deny("*"), deny({"Service": "lambda.amazonaws.com"})],
        [deny("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}})],
        [LAMBDA, {"Effect": "Deny", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    ],
)
def test_the_new_trust_policy_allows_lambda_and_still_denies_the_others(statements: list[Any]) -> None:
    """The other statements stay."""
    fixed = after(RoleNotAssumable, *statements)
    assert [verdict.outcome for verdict in check(RoleNotAssumable, trusting(*fixed))] == [Outcome.PASS]
    for old, new in zip(statements, fixed, strict=False):
        assert {**new, "Condition": None} == {**old, "Condition": None}
        assert new == old or "aws:PrincipalServiceName" in new["Condition"]["StringNotEqualsIfExists"]


def test_a_deny_that_does_not_apply_to_lambda_is_unchanged() -> None:
    """It protects the role from other principals."""
    others = deny("*", Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}})
    assert after(RoleNotAssumable, others) == [others, LAMBDA]


def test_a_deleted_role_is_recreated_with_its_name_and_path_and_set_again() -> None:
    """Lambda keeps the identity of the deleted role until then."""
    create, wait, attach, _, update = remedy(violation(RoleNotAssumable, None), "aws-cli").split(" &&\n")
    assert create.startswith("aws iam create-role --region us-east-1 --role-name orders-role --path /service-role/ ")
    assert json.loads(shlex.split(create)[-1]) == TRUST_LAMBDA
    assert wait == "aws iam wait role-exists --region us-east-1 --role-name orders-role"
    assert attach.endswith("/AWSLambdaBasicExecutionRole")
    assert update.startswith("aws lambda update-function-configuration --region us-east-1 --function-name orders ")
    assert update.endswith(f" --role {ROLE_ARN}")
    assert 'path               = "/service-role/"' in remedy(violation(RoleNotAssumable, None), "terraform")


def test_excluding_lambda_from_a_deny_opens_the_role_to_nobody_else() -> None:
    """The Deny still closes the broad statement."""
    fixed = after(RoleNotAssumable, trust("*"), deny("*"))
    assert [verdict.outcome for verdict in check(RoleTrustTooBroad, trusting(*fixed))] == [Outcome.PASS]


def test_after_the_remedies_of_two_broad_statements_lambda_is_allowed() -> None:
    """Each of the statements allowed Lambda, and neither stays."""
    everyone, others = trust("*", Sid="everyone"), trust("*", Sid="others")
    role = trusting(everyone, others)
    for verdict in [one for one in check(RoleTrustTooBroad, role) if one.outcome is Outcome.VIOLATION]:
        role = trusting(*pasted(verdict, role))
    assert role.trust_policy.document["Statement"] == [LAMBDA]  # type: ignore[index]


def test_a_policy_that_needs_no_change_is_not_written() -> None:
    """Somebody changed it since."""
    found = violation(RoleNotAssumable, trusting(trust({"Service": "states.amazonaws.com"})))
    assert pasted(found, trusting(LAMBDA)) == [LAMBDA]


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        (trust("*"), None),
        (trust({"AWS": OTHER}), None),
        (
            trust({"AWS": [OTHER, f"arn:aws:iam::{ACCOUNT}:role/deploy"]}),
            {"AWS": f"arn:aws:iam::{ACCOUNT}:role/deploy"},
        ),
        (
            trust({"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com", "ec2.amazonaws.com"]}),
            {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
        ),
        (
            trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root", "Service": "lambda.amazonaws.com"}),
            {"Service": "lambda.amazonaws.com"},
        ),
        (trust({"Federated": GITHUB}, WEB), None),
        ({"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "sts:AssumeRole"}, None),
    ],
)
def test_principals_that_should_not_be_allowed_are_removed_and_lambda_stays(statement: Any, left: Any) -> None:
    """All other principals are unchanged."""
    fixed = after(RoleTrustTooBroad, statement)
    assert all(verdict.outcome is Outcome.PASS for verdict in check(RoleTrustTooBroad, trusting(*fixed)))
    assert [verdict.outcome for verdict in check(RoleNotAssumable, trusting(*fixed))] == [Outcome.PASS]
    assert fixed[0] == ({**statement, "Principal": left} if left else LAMBDA)


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
        {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:*"}},
    ],
)
def test_the_statement_for_an_identity_provider_has_the_missing_condition(condition: Any) -> None:
    """A person fills in the placeholders."""
    wide = trust({"Federated": GITHUB}, WEB, **({"Condition": condition} if condition else {}))
    narrowed = json.loads(remedy(violation(RoleTrustTooBroad, trusting(LAMBDA, wide)), "policy-statement"))
    claims = {
        "token.actions.githubusercontent.com:aud": "<AUDIENCE>",
        "token.actions.githubusercontent.com:sub": "<SUBJECT>",
    }
    assert narrowed == {**wide, "Condition": {"StringEquals": claims}}
    assert all(verdict.outcome is Outcome.PASS for verdict in check(RoleTrustTooBroad, trusting(LAMBDA, narrowed)))


def test_a_statement_without_a_sid_is_named_by_a_hash_of_its_content() -> None:
    """Other statements do not change the name."""
    wide = trust({"AWS": OTHER})
    one, other = violation(RoleTrustTooBroad, trusting(wide)), violation(RoleTrustTooBroad, trusting(LAMBDA, wide))
    assert one.subject == other.subject


def steps(verdict: Verdict) -> list[Remedy]:
    """Return the commands of a finding, the steps in order."""
    return [one for one in verdict.remedies if one.kind == "aws-cli"]


@pytest.mark.parametrize(
    "document",
    [
        allow("iam:*"),
        allow("iam:PassRole", "lambda:*", "ec2:RunInstances"),
        allow("iam:PutRolePolicy", resource=ROLE_ARN),
        allow("sts:AssumeRole"),
    ],
)
def test_excess_permissions_are_removed_in_steps(document: Any) -> None:
    """First a person sees what was used, then allows what is needed, then removes the rest."""
    look, permit, remove = steps(violation(RoleOverprivileged, a_role(document)))
    assert [one.step[:11] for one in (look, permit, remove)] == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert [one.needs_decision for one in (look, permit, remove)] == [False, True, False]
    assert "aws iam generate-service-last-accessed-details --region us-east-1 " in look.text
    assert "aws iam get-role-policy --region us-east-1 --role-name orders-role --policy-name inline-0" in look.text
    assert all(line.startswith("#") for line in permit.text.splitlines())
    assert "<ACTION>" in permit.text
    assert "logs:PutLogEvents" in permit.text
    delete, *way_back = remove.text.splitlines()
    assert delete == "aws iam delete-role-policy --region us-east-1 --role-name orders-role --policy-name inline-0"
    assert way_back[0] == "# The way back:"
    assert json.loads(shlex.split(way_back[1].removeprefix("# "))[-1]) == document


def test_an_aws_managed_policy_is_detached() -> None:
    """It cannot be changed, and the command ends with the way back."""
    arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    role = a_role(attached={arn: parse_policy(allow("s3:*"), name=arn)})
    _, _, remove = steps(violation(RoleOverprivileged, role))
    named = f"--region us-east-1 --role-name orders-role --policy-arn {arn}"
    assert remove.text.splitlines() == [
        f"aws iam detach-role-policy {named}",
        "# The way back:",
        f"# aws iam attach-role-policy {named}",
    ]


def test_the_other_statements_of_an_inline_policy_stay() -> None:
    """The policy is written without the broad ones."""
    narrow, wide = statement("s3:GetObject", resource="arn:aws:s3:::orders/*"), statement("iam:*")
    role = a_role({"Version": "2012-10-17", "Statement": [wide, narrow]})
    _, _, remove = steps(violation(RoleOverprivileged, role))
    words = shlex.split(remove.text.splitlines()[0])
    assert words[1:3] == ["iam", "put-role-policy"]
    assert json.loads(words[-1]) == {"Version": "2012-10-17", "Statement": [narrow]}


def test_an_inline_policy_of_the_same_name_is_not_replaced() -> None:
    """PutRolePolicy would replace a policy of that name."""
    name = "permissions-of-the-function"
    role = replace(a_role(), inline={name: parse_policy({"Statement": [statement("iam:*")]}, name=name)})
    _, permit, _ = steps(violation(RoleOverprivileged, role))
    assert f"--policy-name {name}-2 " in permit.text
