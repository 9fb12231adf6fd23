"""`permission-guard check` evaluates the execution roles of a template's functions with event source mappings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import TRUST_LAMBDA
from tests.unit.cli.test_check_roles import SQS, allow, attached, inline, template

LAMBDA: Any = TRUST_LAMBDA["Statement"][0]


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


PARTNER = {"Ref": "Partner"}
PARTNER_ROOT = {"Fn::Sub": "arn:aws:iam::${Partner}:root"}
OF_PARTNER = {"StringEquals": {"aws:SourceAccount": PARTNER}}
LAMBDA_NAME = "lambda.amazonaws.com"
ANYONE: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
TEXT = (
    '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},'
    '{"Sid": "Others", "Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/a.b"},'
    '"Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"${Partner}:sub": "me"}}}]}'
)


def test_a_trust_policy_that_depends_on_a_parameter_is_unknown(check: Any) -> None:
    """The parameter can be the own account or any other account. Lambda is allowed whatever it is."""
    role = trusting(LAMBDA, allowing({"AWS": PARTNER}))
    body = template(role, Parameters={"Partner": {"Type": "String"}})
    result = check(body)
    assert result.findings == []
    assert [rule for rule, _ in result.unknowns] == ["PG208"]
    assert all(
        "it depends on Partner, which cannot be resolved from the file" in reason for _, reason in result.unknowns
    )
    given = check(body, "--parameter", "Partner=999988887777")
    assert given.findings == [("PG208", "trust/Role/Others")]
    assert check(body, "--parameter", "Partner=999988887777", "--trusted-account", "999988887777").code == 0


@pytest.mark.parametrize(
    ("statements", "found", "unknown"),
    [
        ([LAMBDA, ANYONE, allowing({"AWS": PARTNER})], ["PG208"], ["PG208"]),
        ([allowing({"AWS": PARTNER_ROOT})], ["PG207"], ["PG208"]),
        ([allowing({"AWS": PARTNER})], [], ["PG207", "PG208"]),
        ([allowing({"Service": {"Fn::Sub": "lambda.${Partner}"}})], [], ["PG207", "PG208"]),
        ([allowing({"Service": ["lambda.amazonaws.com", PARTNER]})], [], ["PG208"]),
        ([{**LAMBDA, "Condition": OF_PARTNER}], [], ["PG207"]),
        ([{**LAMBDA, "Action": ["sts:AssumeRole", PARTNER]}], [], []),
        ([{**LAMBDA, "Effect": PARTNER}], [], ["PG207"]),
        ([LAMBDA, {**ANYONE, "Effect": "Deny", "Condition": {"StringNotEquals": OF_PARTNER}}], [], ["PG207"]),
        ([LAMBDA, {"Effect": "Deny", "NotPrincipal": {"AWS": PARTNER}, "Action": "sts:AssumeRole"}], [], ["PG207"]),
        ([LAMBDA, {**ANYONE, "Condition": OF_PARTNER}], [], ["PG208"]),
        ([LAMBDA, allowing({"Federated": PARTNER})], [], []),
        ([LAMBDA, allowing({"Federated": PARTNER}, Action="sts:AssumeRoleWithWebIdentity")], [], ["PG208"]),
        (
            [LAMBDA, allowing({"AWS": "999988887777"}, Condition={"StringEquals": {"sts:ExternalId": PARTNER}})],
            ["PG208"],
            [],
        ),
        ([LAMBDA, {"Fn::If": ["IsPartner", ANYONE, {"Ref": "AWS::NoValue"}]}], [], ["PG208"]),
        ([LAMBDA, PARTNER], [], ["PG207", "PG208"]),
    ],
)
def test_an_unresolved_value_of_a_trust_policy_concerns_its_statement_alone(
    check: Any, statements: list[Any], found: list[str], unknown: list[str]
) -> None:
    """What the other statements allow is certain, unless an unresolved Deny can take it away."""
    body = template(trusting(*statements), Parameters={"Partner": {"Type": "String"}})
    body["Conditions"] = {"IsPartner": {"Fn::Equals": [PARTNER, "yes"]}}
    result = check(body)
    assert ([rule for rule, _ in result.findings], [rule for rule, _ in result.unknowns]) == (found, unknown)


@pytest.mark.parametrize(
    ("allowed", "unknown"),
    [([LAMBDA_NAME, "edgelambda.amazonaws.com"], []), (["edgelambda.amazonaws.com", "ec2.amazonaws.com"], ["PG208"])],
)
def test_the_values_that_a_template_allows_are_tried(check: Any, allowed: list[str], unknown: list[str]) -> None:
    """The outcome is known if it is the same for all of them."""
    parameters = {"Partner": {"Type": "String", "AllowedValues": allowed}}
    result = check(template(trusting(allowing({"Service": [LAMBDA_NAME, PARTNER]})), Parameters=parameters))
    assert (result.findings, [rule for rule, _ in result.unknowns]) == ([], unknown)


def test_a_trust_policy_can_be_a_text(check: Any) -> None:
    """The key of a condition can be unresolved in it."""
    role = {**trusting(), "AssumeRolePolicyDocument": {"Fn::Sub": TEXT}}
    result = check(template(role, Parameters={"Partner": {"Type": "String"}}))
    assert [rule for rule, _ in result.unknowns] == ["PG208"]
    assert check(template({**role, "AssumeRolePolicyDocument": "{"})).code != 0


def test_an_identity_provider_of_the_template_is_one_of_the_own_account(check: Any) -> None:
    """Its name is its URL without the scheme."""
    provider = {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": "https://idp.example.com/a"}}
    saml = {"Type": "AWS::IAM::SAMLProvider", "Properties": {"Name": "corporate"}}
    resources = {"Provider": provider, "Saml": saml}
    me = {"StringEquals": {"idp.example.com/a:sub": "me"}}
    for principal in ({"Ref": "Provider"}, {"Fn::GetAtt": ["Provider", "Arn"]}):
        web = allowing({"Federated": principal}, Action="sts:AssumeRoleWithWebIdentity")
        assert check(template(trusting(LAMBDA, {**web, "Condition": me}), resources=resources)).code == 0
        assert check(template(trusting(LAMBDA, web), resources=resources)).findings == [("PG208", "trust/Role/Others")]
    signed_in = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
    by_saml = allowing({"Federated": {"Ref": "Saml"}}, Action="sts:AssumeRoleWithSAML", Condition=signed_in)
    assert check(template(trusting(LAMBDA, by_saml), resources=resources)).code == 0


def by_condition(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return a template with a function that has one of two roles."""
    chosen = {"Fn::If": ["IsPartner", {"Fn::GetAtt": ["Role", "Arn"]}, {"Fn::GetAtt": ["Second", "Arn"]}]}
    body = template(first, resources={"Second": {"Type": "AWS::IAM::Role", "Properties": second}})
    body["Resources"]["Orders"]["Properties"]["Role"] = chosen
    condition = {"IsPartner": {"Fn::Equals": [PARTNER, "yes"]}}
    return {**body, "Parameters": {"Partner": {"Type": "String"}}, "Conditions": condition}


def test_what_is_wrong_with_both_roles_is_found(check: Any) -> None:
    """The function has one of them, whatever the condition is. What is wrong with one alone is unknown."""
    admin = {**trusting(LAMBDA), **inline(allow("*"))}
    both = check(by_condition(admin, admin), "--rule", "PG210")
    assert ([rule for rule, _ in both.findings], both.unknowns) == (["PG210"], [])
    one = check(by_condition(admin, trusting(LAMBDA)), "--rule", "PG210")
    assert (one.findings, [rule for rule, _ in one.unknowns]) == ([], ["PG210"])


def test_a_policy_for_an_unresolved_role_can_be_one_of_the_named_role(check: Any) -> None:
    """Nobody knows the name that CloudFormation generates, so the policy of an unresolved role is not for it."""
    properties = {"PolicyName": "a", "Roles": [PARTNER], "PolicyDocument": allow("*")}
    policy = {"Type": "AWS::IAM::Policy", "Properties": properties}
    parameters = {"Partner": {"Type": "String"}}
    body = template({**trusting(LAMBDA), "RoleName": "orders"}, resources={"More": policy}, Parameters=parameters)
    assert [rule for rule, _ in check(body, "--rule", "PG210").unknowns] == ["PG210"]
    assert [rule for rule, _ in check(body, "--parameter", "Partner=orders").findings] == ["PG210"]
    assert check(body, "--parameter", "Partner=other").code == 0
    assert check(template(trusting(LAMBDA), resources={"More": policy}, Parameters=parameters)).code == 0
    unread = {**trusting(LAMBDA), "Policies": [PARTNER]}
    assert [rule for rule, _ in check(template(unread, Parameters=parameters), "--rule", "PG210").unknowns] == ["PG210"]
