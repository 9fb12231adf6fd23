"""`permission-guard check` judges the roles of a template's functions themselves, where something is polled."""

from __future__ import annotations

from typing import Any

from tests.fakes import TRUST_LAMBDA
from tests.unit.cli.test_check_roles import SQS, allow, attached, inline, template

LAMBDA = TRUST_LAMBDA["Statement"][0]


def trusting(*statements: Any) -> dict[str, Any]:
    """Return a role's properties: it may read the queue, and is trusted by whom is said."""
    return {**attached(SQS), "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}


def letting_in(principal: Any, **more: Any) -> dict[str, Any]:
    """Return a statement of a trust policy."""
    return {"Sid": "Others", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


def test_a_role_for_lambda_alone_passes(check: Any) -> None:
    """However the service is written."""
    assert check(template(trusting(LAMBDA))).code == 0
    service = {"Fn::Sub": "lambda.${AWS::URLSuffix}"}
    assert check(template(trusting(letting_in({"Service": service})))).code == 0


def test_a_role_of_the_same_template_may_be_let_in(check: Any) -> None:
    """It is of the own account."""
    other = {"Other": {"Type": "AWS::IAM::Role", "Properties": trusting(LAMBDA)}}
    role = trusting(LAMBDA, letting_in({"AWS": {"Fn::GetAtt": ["Other", "Arn"]}}))
    assert check(template(role, resources=other)).code == 0


def test_a_role_that_anyone_may_assume_is_found_with_a_statement_in_its_place(check: Any) -> None:
    """The cure is one for a template."""
    said = check(template(trusting(letting_in({"AWS": "*"}))))
    assert said.findings == [("PG208", "trust/Role/Others")]
    finding = said.document["findings"][0]
    assert (finding["severity"], finding["remedies"][0]["kind"]) == ("critical", "policy-statement")


def test_a_role_that_lambda_cannot_assume_is_found(check: Any) -> None:
    """A copy from another service."""
    said = check(template(trusting(letting_in({"Service": "ec2.amazonaws.com"}))))
    assert [rule for rule, _ in said.findings] == ["PG207", "PG208"]


def test_an_administrator_is_found_once_for_two_mappings(check: Any) -> None:
    """The function has one role, however many queues it polls."""
    role = {**trusting(LAMBDA), **inline(allow("*"))}
    second = {"Again": template({})["Resources"]["Poll"]}
    assert [rule for rule, _ in check(template(role, resources=second)).findings] == ["PG210"]


def test_a_trust_policy_that_hangs_on_a_parameter_is_not_certain(check: Any) -> None:
    """It may be the own account's, and it may be anyone's."""
    role = trusting(LAMBDA, letting_in({"AWS": {"Ref": "Partner"}}))
    body = template(role, Parameters={"Partner": {"Type": "String"}})
    said = check(body)
    assert said.findings == []
    assert [rule for rule, _ in said.unknowns] == ["PG207", "PG208"]
    assert all("it hangs on Partner, which the file does not say" in reason for _, reason in said.unknowns)
    given = check(body, "--parameter", "Partner=999988887777")
    assert given.findings == [("PG208", "trust/Role/Others")]
    assert check(body, "--parameter", "Partner=999988887777", "--trusted-account", "999988887777").code == 0
