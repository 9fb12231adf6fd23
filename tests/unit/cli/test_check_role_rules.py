"""`permission-guard check` evaluates the execution roles of a template's functions with event source mappings."""

from __future__ import annotations

from typing import Any

from tests.fakes import TRUST_LAMBDA
from tests.unit.cli.test_check_roles import SQS, allow, attached, inline, template

LAMBDA = TRUST_LAMBDA["Statement"][0]


def trusting(*statements: Any) -> dict[str, Any]:
    """Return the properties of a role that may read the queue, with the given statements as its trust policy."""
    return {**attached(SQS), "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}


def allowing(principal: Any, **more: Any) -> dict[str, Any]:
    """Return a statement of a trust policy."""
    return {"Sid": "Others", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


def test_a_role_for_lambda_alone_passes(check: Any) -> None:
    """The service can be written with AWS::URLSuffix."""
    assert check(template(trusting(LAMBDA))).code == 0
    service = {"Fn::Sub": "lambda.${AWS::URLSuffix}"}
    assert check(template(trusting(allowing({"Service": service})))).code == 0


def test_a_trust_policy_can_allow_a_role_of_the_same_template(check: Any) -> None:
    """That role is in the own account."""
    other = {"Other": {"Type": "AWS::IAM::Role", "Properties": trusting(LAMBDA)}}
    role = trusting(LAMBDA, allowing({"AWS": {"Fn::GetAtt": ["Other", "Arn"]}}))
    assert check(template(role, resources=other)).code == 0


def test_a_role_that_anyone_can_assume_is_found(check: Any) -> None:
    """The remedy is a statement for the template."""
    result = check(template(trusting(allowing({"AWS": "*"}))))
    assert result.findings == [("PG208", "trust/Role/Others")]
    finding = result.document["findings"][0]
    assert (finding["severity"], finding["remedies"][0]["kind"]) == ("critical", "policy-statement")


def test_a_role_that_lambda_cannot_assume_is_found(check: Any) -> None:
    """Its trust policy allows another service."""
    result = check(template(trusting(allowing({"Service": "ec2.amazonaws.com"}))))
    assert [rule for rule, _ in result.findings] == ["PG207", "PG208"]


def test_an_administrator_is_found_once_for_two_mappings(check: Any) -> None:
    """The function has one role, whatever the number of its mappings."""
    role = {**trusting(LAMBDA), **inline(allow("*"))}
    second = {"Again": template({})["Resources"]["Poll"]}
    assert [rule for rule, _ in check(template(role, resources=second)).findings] == ["PG210"]


def test_a_trust_policy_that_depends_on_a_parameter_is_unknown(check: Any) -> None:
    """The parameter can be the own account or any other account."""
    role = trusting(LAMBDA, allowing({"AWS": {"Ref": "Partner"}}))
    body = template(role, Parameters={"Partner": {"Type": "String"}})
    result = check(body)
    assert result.findings == []
    assert [rule for rule, _ in result.unknowns] == ["PG207", "PG208"]
    assert all(
        "it depends on Partner, which cannot be resolved from the file" in reason for _, reason in result.unknowns
    )
    given = check(body, "--parameter", "Partner=999988887777")
    assert given.findings == [("PG208", "trust/Role/Others")]
    assert check(body, "--parameter", "Partner=999988887777", "--trusted-account", "999988887777").code == 0
