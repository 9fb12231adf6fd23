"""PG209: a role has its finding at one of its functions, and the remedy creates a role with the same permissions."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Role, Snapshot
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules.execution_role.role_shared import RoleShared
from tests.fakes import DENIED, ROLE_ARN, SQS_POLICY, SQS_POLICY_ARN, TARGET, TRUST_LAMBDA, a_function, a_role, allow

if TYPE_CHECKING:
    from permission_guard.model.targets import FunctionTarget

BOUNDARY = "arn:aws:iam::123456789012:policy/limits"


def named(name: str) -> FunctionTarget:
    """Return a function of the account."""
    return replace(TARGET, name=name)


def check(name: str, others: list[str], role: Role | None = None, role_arn: str = ROLE_ARN) -> Verdict:
    """Return the verdict on a function's role that other functions use too."""
    target = named(name)
    users = tuple(sorted(map(named, others)))
    snapshot = Snapshot(
        target,
        a_function(target, role_arn),
        versions={target.arn: a_function(target, role_arn)},
        roles={role_arn: role or a_role()},
        role_users={role_arn: users},
    )
    (verdict,) = evaluate(snapshot, [RoleShared(TrustSet(frozenset()))]).verdicts
    return verdict


def remedy(verdict: Verdict, kind: str) -> str:
    """Return one remedy."""
    return next(item.text for item in verdict.remedies if item.kind == kind)


def offered(verdict: Verdict) -> list[list[str]]:
    """Return the words of the commands."""
    return [shlex.split(command) for command in remedy(verdict, "aws-cli").split(" &&\n")]


def options(words: list[str]) -> dict[str, str]:
    """Read a command's options."""
    return dict(zip(words[3::2], words[4::2], strict=True))


@pytest.mark.parametrize("names", [["a", "b"], ["orders", "payments", "invoices"], ["z", "Z", "0", "a-b"]])
def test_the_finding_is_the_same_whichever_function_is_checked(names: list[str]) -> None:
    """Whether or not the list already has the checked function."""
    found = [check(name, listed) for name in names for listed in (names, [other for other in names if other != name])]
    assert {verdict.outcome for verdict in found} == {Outcome.VIOLATION}
    assert len({verdict.finding_id for verdict in found}) == 1
    assert all(verdict.evidence["functions"] == sorted(names) for verdict in found)


def test_the_finding_stays_the_same_when_a_function_joins() -> None:
    """It belongs to the role, and can have a ticket already."""
    assert check("a", ["a", "b"]).finding_id == check("a", ["a", "b", "c"]).finding_id


def test_a_thousand_functions_fit_into_a_message() -> None:
    """They are counted, and some are named."""
    verdict = check("f-0000", [f"f-{number:04}" for number in range(1000)])
    assert verdict.title == "1000 functions share the execution role orders-role"
    assert verdict.reason == f"f-0000, f-0001, f-0002, f-0003, f-0004 and 995 more use {ROLE_ARN}."
    assert len(verdict.evidence["functions"]) == 50
    assert len(json.dumps(dict(verdict.evidence))) < 2_000


def test_the_commands_copy_the_role_and_then_set_the_copy() -> None:
    """With its path, trust policy, boundary, managed and inline policies."""
    role = a_role(SQS_POLICY, attached={SQS_POLICY_ARN: DENIED}, boundary=parse_policy(SQS_POLICY))
    create, wait, attach, put, _, update = offered(check("orders", ["orders", "payments"], role))
    name = "orders-execution-role"
    assert create[1:3] == ["iam", "create-role"]
    assert json.loads(options(create).pop("--assume-role-policy-document")) == TRUST_LAMBDA
    assert options(create)["--path"] == "/service-role/"
    assert options(create)["--permissions-boundary"] == BOUNDARY
    assert wait == ["aws", "iam", "wait", "role-exists", "--region", "us-east-1", "--role-name", name]
    assert options(attach) == {"--region": "us-east-1", "--role-name": name, "--policy-arn": SQS_POLICY_ARN}
    assert options(put)["--policy-name"] == "inline-0"
    assert json.loads(options(put)["--policy-document"]) == SQS_POLICY
    assert options(update) == {
        "--region": "us-east-1",
        "--function-name": "orders",
        "--role": f"arn:aws:iam::123456789012:role/service-role/{name}",
    }


@pytest.mark.parametrize("others", [[], ["edgelambda.amazonaws.com"], ["states.amazonaws.com"], ["*"]])
def test_only_lambda_can_assume_the_copy(others: list[str]) -> None:
    """At CloudFront's edge locations too, if it could assume the shared role."""
    services = ["lambda.amazonaws.com", *others]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    role = replace(a_role(), trust_policy=parse_policy({"Version": "2012-10-17", "Statement": [trust]}))
    create = offered(check("orders", ["orders", "payments"], role))[0]
    (statement,) = json.loads(options(create)["--assume-role-policy-document"])["Statement"]
    named = services if others == ["edgelambda.amazonaws.com"] else services[0]
    assert statement == {**trust, "Principal": {"Service": named}}


def test_what_the_shared_role_lacks_is_added_to_the_copy() -> None:
    """Otherwise the copy would undo the remedy of that finding."""
    put = offered(check("orders", ["orders", "payments"]))[2]
    assert options(put)["--policy-name"] == "needs-of-the-functions"
    assert "logs:PutLogEvents" in options(put)["--policy-document"]


def test_excess_permissions_are_removed_before_the_role_is_copied() -> None:
    """The copy would be a new finding of PG210."""
    role = a_role({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    (only,) = check("orders", ["orders", "payments"], role).remedies
    assert only.needs_decision
    assert "# PG210 reports excess permissions of the role: remove them first." in only.text


@pytest.mark.parametrize("function", ["orders", "o" * 64])
@pytest.mark.parametrize("shared", ["orders-role", "orders-execution-role", f"{'o' * 59}-role", "orders"])
def test_the_new_role_has_a_valid_name_that_is_not_the_shared_role_s(function: str, shared: str) -> None:
    """Up to 64 characters."""
    arn = f"arn:aws:iam::123456789012:role/{shared}"
    create = options(offered(check(function, [function, "z"], a_role(arn=arn), arn))[0])
    assert len(create["--role-name"]) <= 64
    assert create["--role-name"] != shared


@pytest.mark.parametrize(
    "role",
    [
        replace(a_role(), inline={"inline-0": DENIED}),
        replace(a_role(), inline={"inline-0": parse_policy("no JSON")}),
    ],
)
def test_a_role_that_cannot_be_copied_completely_is_not_copied(role: Role) -> None:
    """A function would fail without the missing policies."""
    (only,) = check("orders", ["orders", "payments"], role).remedies
    assert only.kind == "aws-cli"
    assert only.needs_decision
    listing, *rest = only.text.splitlines()
    query = f'Functions[?Role==`"{ROLE_ARN}"`].FunctionName'
    assert shlex.split(listing) == [
        *("aws", "lambda", "list-functions", "--region", "us-east-1"),
        *("--query", query, "--output", "text"),
    ]
    assert all(line.startswith("#") for line in rest)


@pytest.mark.parametrize(
    ("role", "properties"),
    [
        (a_role(allow("logs:*")), {"Policies": [allow("logs:*")]}),
        (
            a_role(SQS_POLICY, attached={SQS_POLICY_ARN: DENIED}, boundary=parse_policy(SQS_POLICY)),
            {"PermissionsBoundary": BOUNDARY, "Policies": [SQS_POLICY_ARN, SQS_POLICY]},
        ),
    ],
)
def test_sam_creates_a_role_if_the_function_names_none(role: Role, properties: dict[str, Any]) -> None:
    """The remedy is YAML."""
    resource = yaml.safe_load(remedy(check("orders", ["orders", "payments"], role), "sam"))
    assert resource == {"Type": "AWS::Serverless::Function", "Properties": properties}


def test_terraform_has_the_role_with_all_its_policies() -> None:
    """Terraform does not evaluate IAM's policy variables."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "${aws:x}"}]}
    role = a_role(document, attached={SQS_POLICY_ARN: DENIED}, boundary=parse_policy(SQS_POLICY))
    text = remedy(check("orders", ["orders", "payments"], role), "terraform")
    assert '"$${aws:x}"' in text
    assert f'permissions_boundary = "{BOUNDARY}"' in text
    assert f'policy_arn = "{SQS_POLICY_ARN}"' in text
    assert text.count("{") == text.count("}")
    assert [line.split()[1] for line in text.splitlines() if line.startswith("resource ")] == [
        '"aws_iam_role"',
        '"aws_iam_role_policy_attachment"',
        '"aws_iam_role_policy"',
    ]
