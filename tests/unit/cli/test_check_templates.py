"""`permission-guard check` evaluates CloudFormation templates: permissions, policies, roles and references."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from permission_guard.errors import InputError
from permission_guard.iam import TrustSet
from permission_guard.model.verdicts import Remedy
from permission_guard.offline.deployment import GivenPlace
from permission_guard.offline.documents import contents
from permission_guard.offline.scenarios import evaluate_check
from permission_guard.rules import RULES
from tests.fakes import TRUST_LAMBDA
from tests.unit.cli.conftest import run
from tests.unit.remedies.snippets import decided

if TYPE_CHECKING:
    from pathlib import Path

HERE = GivenPlace()
OWN_ACCOUNT = {"Ref": "AWS::AccountId"}
TOPIC = {"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:orders"}


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": TRUST_LAMBDA,
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
    },
}


def function(**properties: Any) -> dict[str, Any]:
    """Return a function."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Role": {"Fn::GetAtt": ["OrdersRole", "Arn"]}, **properties},
    }


def permission(principal: Any = "sns.amazonaws.com", **properties: Any) -> dict[str, Any]:
    """Return a permission for the function `Orders`."""
    defaults = {"FunctionName": {"Ref": "Orders"}, "Action": "lambda:InvokeFunction", "Principal": principal}
    return {"Type": "AWS::Lambda::Permission", "Properties": {**defaults, **properties}}


def template(*permissions: Any, resources: Any = None, **sections: Any) -> dict[str, Any]:
    """Return a template with the function `Orders` and with the permissions `Permit0`, `Permit1` and so on."""
    numbered = {f"Permit{number}": one for number, one in enumerate(permissions)}
    return {**sections, "Resources": {"Orders": function(), "OrdersRole": ROLE, **numbered, **(resources or {})}}


def parameters(*names: str, **more: Any) -> dict[str, Any]:
    """Return parameters without defaults."""
    return {name: {"Type": "String", **more} for name in names}


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_permission_is_evaluated_as_the_statement_that_lambda_writes(check: Any) -> None:
    """The Sid is the logical id, and the function is the one in FunctionName."""
    result = check(template(permission(), permission(SourceArn=TOPIC)))
    assert result.code == 1
    assert result.findings == [("PG102", "Permit0")]
    assert result.document["findings"][0]["function_arn"].endswith(":function:Orders")


def test_the_remedy_is_for_the_template_and_uses_its_references(check: Any) -> None:
    """It is not a command, because the next deployment would undo it."""
    result = check(
        template(
            permission(
                "s3.amazonaws.com",
                FunctionName={"Fn::GetAtt": ["Orders", "Arn"]},
                SourceArn={"Fn::Sub": "arn:aws:s3:::${Files}"},
            ),
            permission(),
            resources={"Files": {"Type": "AWS::S3::Bucket"}},
        )
    )
    bucket, topic = result.document["findings"]
    assert [remedy["kind"] for remedy in bucket["remedies"]] == ["sam"]
    assert bucket["remedies"][0]["text"].splitlines()[2:] == [
        "  FunctionName: !GetAtt Orders.Arn",
        "  Action: lambda:InvokeFunction",
        "  Principal: s3.amazonaws.com",
        '  SourceArn: !Sub "arn:aws:s3:::${Files}"',
        "  SourceAccount: !Ref AWS::AccountId",
    ]
    assert "#   FunctionName: !Ref Orders" in topic["remedies"][0]["text"]
    assert (
        'SourceArn: !Sub "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:<TOPIC-NAME>"'
        in (topic["remedies"][0]["text"])
    )


def test_a_remedy_without_a_template_form_names_the_resource(check: Any) -> None:
    """The statement has no equal in the parameters of AddPermission."""
    policy = {
        "Type": "AWS::Lambda::ResourcePolicy",
        "Properties": {
            "ResourceArn": {"Fn::GetAtt": "Orders.Arn"},
            "PolicyDocument": {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "lambda:InvokeFunction",
                    "Resource": "*",
                    "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
                }
            },
        },
    }
    result = check(template(resources={"Own": policy}))
    assert result.findings == [("PG101", "Own-1")]
    assert result.document["findings"][0]["remedies"] == [
        asdict(Remedy("sam", "# Change or remove Own in the template."))
    ]
    hostile = check(template(resources={"Own\nRole: x\u2028": policy})).document["findings"][0]["remedies"]
    assert hostile == [asdict(Remedy("sam", "# Change or remove Own\\u000aRole: x\\u2028 in the template."))]


@pytest.mark.parametrize("name", ["a\nRole: x", "a # b", "a: b", "!GetAtt x", '"', "'", "Other"])
@pytest.mark.parametrize("kind", ["Ref", "Fn::GetAtt", "Fn::Sub"])
def test_a_reference_to_a_hostile_name_stays_one_value(check: Any, name: str, kind: str) -> None:
    """It is copied from the template into the remedy."""
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Orders"},
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": {kind: f"${{{name}}}" if kind == "Fn::Sub" else name},
        },
    }
    result = check(template(resources={"Own": permission, name: {"Type": "AWS::S3::Bucket"}}))
    for finding in result.document["findings"]:
        for remedy in finding["remedies"]:
            node = yaml.compose(decided(Remedy(**remedy))[0])
            assert isinstance(node, yaml.MappingNode)
            properties = dict(node.value)
            assert [key.value for key in properties] == ["Type", "Properties"]
            (values,) = [value for key, value in properties.items() if key.value == "Properties"]
            assert all(isinstance(value, yaml.ScalarNode) for _, value in values.value)
            assert {key.value for key, _ in values.value} <= {
                *("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"),
            }


@pytest.mark.parametrize(
    ("properties", "findings"),
    [
        ({"Principal": "*"}, ["PG101"]),
        ({"Principal": "*", "PrincipalOrgID": "o-exampleorgid"}, []),
        ({"Principal": "111122223333"}, ["PG106"]),
        ({"Principal": "123456789012"}, []),
        ({"Principal": 123456789012}, []),
        ({"Principal": "alexa-appkit.amazon.com"}, ["PG108"]),
        ({"Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill.1"}, []),
        ({"Principal": "s3.amazonaws.com", "SourceAccount": OWN_ACCOUNT}, []),
        ({"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::files"}, ["PG103"]),
        ({"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::files", "SourceAccount": OWN_ACCOUNT}, []),
        ({"Principal": "sqs.amazonaws.com", "SourceArn": TOPIC}, ["PG105"]),
        ({"Principal": "sns.amazonaws.com", "SourceArn": "arn:aws:sns:us-east-1:*:orders"}, ["PG104"]),
        ({"Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}, ["PG107"]),
        ({"Principal": "123456789012", "Action": "lambda:*"}, ["PG109"]),
    ],
)
def test_every_property_becomes_the_condition_that_lambda_writes(check: Any, properties: Any, findings: Any) -> None:
    """The findings are the same as for the policy that Lambda would have."""
    result = check(template(permission(**{"principal": properties["Principal"], **properties}) | {}))
    assert [rule for rule, _ in result.findings] == findings


@pytest.mark.parametrize(
    "name",
    [
        {"Ref": "Orders"},
        {"Fn::GetAtt": ["Orders", "Arn"]},
        {"Fn::Sub": "${Orders}"},
        {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${Orders}"},
        "Orders",
        "123456789012:function:Orders",
    ],
)
def test_every_form_of_a_function_name_is_read(check: Any, name: Any) -> None:
    """The forms are those of AddPermission."""
    found = check(template(permission(FunctionName=name))).document["findings"]
    assert [one["function_arn"] for one in found] == ["arn:aws:lambda:us-east-1:123456789012:function:Orders"]


def test_an_alias_or_version_has_its_own_policy(check: Any) -> None:
    """A reference to an alias or a version is its ARN."""
    resources = {
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Orders"}, "Name": "live"}},
        "First": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Fn::GetAtt": ["Orders", "Arn"]}}},
    }
    names = [
        {"Ref": "Live"},
        {"Fn::Join": [":", [{"Ref": "Orders"}, "live"]]},
        {"Ref": "First"},
        {"Fn::Sub": "${Orders}:${First.Version}"},
        {"Fn::Sub": "${Orders}:$LATEST"},
    ]
    result = check(template(*(permission(FunctionName=name) for name in names), resources=resources))
    found = [one["function_arn"].partition(":function:")[2] for one in result.document["findings"]]
    assert found == ["Orders:live", "Orders:live", "Orders:1", "Orders:1", "Orders"]
    assert "FunctionName: !Ref Live" in result.document["findings"][0]["remedies"][0]["text"]


def test_a_permission_for_a_function_outside_the_file_is_evaluated(check: Any) -> None:
    """The outcome does not depend on the function's name, and the title has the reference."""
    result = check(template(permission(FunctionName={"Fn::ImportValue": "orders-arn"})))
    assert result.findings == [("PG102", "Permit0")]
    assert result.document["findings"][0]["title"].startswith("${import of orders-arn} allows ")
    assert check(template(permission(FunctionName="not a function!"))).findings == [("PG102", "Permit0")]


def test_statements_of_one_function_are_one_policy(check: Any) -> None:
    """A statement for a URL is evaluated with the URL and the second statement that the URL needs."""
    url: dict[str, Any] = {
        "Type": "AWS::Lambda::Url",
        "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["Orders", "Arn"]}, "AuthType": "NONE"},
    }
    halves = (
        permission("*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"),
        permission("*", InvokedViaFunctionUrl=True),
    )
    result = check(template(*halves, resources={"Url": url}))
    assert [(one["subject"], one["severity"]) for one in result.document["findings"]] == [
        ("statement/Permit0", "high"),
        ("statement/Permit1", "high"),
    ]
    url["Properties"]["Qualifier"] = "live"
    of_alias = check(template(*halves, resources={"Url": url})).document["findings"]
    assert {(one["rule_id"], one["severity"]) for one in of_alias} == {("PG107", "medium"), ("PG112", "low")}


def test_each_statement_of_a_resource_policy_is_evaluated(check: Any) -> None:
    """The document is an object or a string, and its Deny statements count."""
    statements: list[dict[str, Any]] = [
        {
            "Sid": "Broad",
            "Effect": "Allow",
            "Principal": {"Service": ["sns.amazonaws.com"]},
            "Action": "lambda:InvokeFunction",
            "Resource": {"Fn::GetAtt": ["Orders", "Arn"]},
        },
        {
            "Effect": "Allow",
            "Principal": {"AWS": {"Ref": "Partner"}},
            "Action": ["lambda:InvokeFunction"],
            "Resource": "*",
        },
    ]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "*"}

    def own(*listed: Any) -> dict[str, Any]:
        properties = {"ResourceArn": {"Fn::GetAtt": ["Orders", "Arn"]}, "PolicyDocument": {"Statement": list(listed)}}
        return template(
            resources={"Own": {"Type": "AWS::Lambda::ResourcePolicy", "Properties": properties}},
            Parameters=parameters("Partner"),
        )

    result = check(own(*statements))
    assert result.findings == [("PG102", "Broad")]
    assert ("PG106", "Unknown: it depends on Partner, which cannot be resolved from the file.") in result.unknowns
    assert check(own(*statements, deny)).code == 0
    assert check(own(deny)).document["left_out"] == []
    text = own()
    text["Resources"]["Own"]["Properties"]["PolicyDocument"] = {
        "Fn::Sub": '{"Version": "2012-10-17", "Statement": {"Sid": "Text", "Effect": "Allow", "Principal": "*", '
        '"Action": "lambda:InvokeFunction", "Resource": "${Orders.Arn}"}}'
    }
    assert check(text).findings == [("PG101", "Text")]


@pytest.mark.parametrize(
    "document", ["{", 3, {"Statement": 3}, {"Statement": [3]}, {"Fn::ImportValue": "policy"}, None]
)
def test_an_unreadable_resource_policy_is_unknown(check: Any, document: Any) -> None:
    """It can allow anything."""
    policy = {"Type": "AWS::Lambda::ResourcePolicy", "Properties": {"PolicyDocument": document}}
    result = check(template(resources={"Own": policy}))
    assert result.code == 3


# ── Unresolved references ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_outcome_that_depends_on_a_parameter_is_unknown_and_names_it(check: Any) -> None:
    """With a value for the parameter, it is a pass or a finding."""
    body = template(permission(SourceArn={"Ref": "TopicArn"}), Parameters=parameters("TopicArn"))
    result = check(body)
    assert result.code == 3
    assert result.unknowns == [("PG106", "Unknown: it depends on TopicArn, which cannot be resolved from the file.")]
    own, foreign = (f"TopicArn=arn:aws:sns:us-east-1:{account}:orders" for account in ("123456789012", "999999999999"))
    assert check(body, "--parameter", own).code == 0
    assert check(body, "--parameter", foreign).findings == [("PG106", "Permit0")]


@pytest.mark.parametrize(
    "properties",
    [
        {"SourceArn": {"Ref": "Given"}, "SourceAccount": OWN_ACCOUNT},
        {"SourceArn": {"Fn::Sub": "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:${Given}"}},
        {"SourceArn": {"Fn::Sub": "arn:aws:sns:${Given}:${AWS::AccountId}:orders"}},
        {"SourceArn": {"Fn::Sub": "arn:${Given}:sns:us-east-1:${AWS::AccountId}:orders"}},
        {"SourceArn": {"Fn::Sub": "arn:aws:sns:us-east-1:${Given}:orders"}, "SourceAccount": OWN_ACCOUNT},
        {
            "principal": "s3.amazonaws.com",
            "SourceArn": {"Fn::Sub": "arn:aws:s3:::${Given}"},
            "SourceAccount": OWN_ACCOUNT,
        },
        {"principal": "alexa-appkit.amazon.com", "EventSourceToken": {"Ref": "Given"}},
        {"principal": {"Fn::Sub": "logs.${Given}.amazonaws.com"}, "SourceAccount": OWN_ACCOUNT},
        {"principal": {"Fn::Sub": "arn:aws:iam::123456789012:role/${Given}"}},
        {"FunctionName": {"Ref": "Given"}, "SourceArn": TOPIC},
        {"SourceArn": {"Fn::GetAtt": ["Machine", "Arn"]}},
        {"SourceArn": {"Ref": "Machine"}},
    ],
)
def test_an_unresolved_value_that_does_not_matter_passes(check: Any, properties: Any) -> None:
    """All values of the reference have the same outcome."""
    machine = {"Machine": {"Type": "AWS::Robotics::Machine"}}
    result = check(template(permission(**properties), resources=machine, Parameters=parameters("Given")))
    assert (result.code, result.unknowns) == (0, [])
    alone = check(
        template(permission(**properties), resources=machine, Parameters=parameters("Given")), "--rule", "PG106"
    )
    assert (alone.code, alone.unknowns) == (0, [])


@pytest.mark.parametrize(
    ("properties", "rules"),
    [
        ({"principal": "s3.amazonaws.com", "SourceArn": {"Fn::Sub": "arn:aws:s3:::${Given}"}}, ["PG103"]),
        ({"principal": "s3.amazonaws.com", "SourceArn": {"Ref": "Given"}}, ["PG103"]),
        ({"principal": {"Fn::Sub": "logs.${Given}.amazonaws.com"}}, ["PG102"]),
        ({"principal": "*", "Action": {"Ref": "Given"}}, ["PG101"]),
        ({"FunctionName": {"Ref": "Given"}}, ["PG102"]),
    ],
)
def test_a_problem_with_every_value_of_a_reference_is_found(check: Any, properties: Any, rules: Any) -> None:
    """The finding contains the name of the reference, not an assumed value."""
    result = check(template(permission(**properties), Parameters=parameters("Given")))
    assert result.code == 1
    assert [rule for rule, _ in result.findings] == rules
    assert "unresolved" not in str(result.document)


def test_an_unresolved_value_in_an_arn_is_shown_by_its_name(check: Any) -> None:
    """The title and the remedy contain the reference."""
    bucket = permission("s3.amazonaws.com", SourceArn={"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Bucket"}]]})
    finding = check(template(bucket, Parameters=parameters("Bucket"))).document["findings"][0]
    assert finding["title"] == 'Any owner of bucket "${Bucket}" can invoke Orders'
    assert 'SourceArn: !Sub "arn:${AWS::Partition}:s3:::${Bucket}"' in finding["remedies"][0]["text"]
    whole = permission("s3.amazonaws.com", SourceArn={"Ref": "Bucket"})
    finding = check(template(whole, Parameters=parameters("Bucket"))).document["findings"][0]
    assert "SourceArn: !Ref Bucket" in finding["remedies"][0]["text"]


@pytest.mark.parametrize(
    "properties",
    [
        {"principal": {"Ref": "Given"}},
        {"principal": {"Fn::Sub": "arn:aws:iam::${Given}:root"}},
        {"SourceAccount": {"Ref": "Given"}},
        {"SourceArn": {"Fn::Sub": "arn:aws:sns:us-east-1:${Given}:orders"}},
        {"SourceArn": {"Fn::Sub": "${Given}-orders"}},
        {"SourceArn": {"Fn::ImportValue": {"Fn::Sub": "${Given}-arn"}}},
        {"SourceArn": {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "Given"}]}]}},
        {"SourceArn": {"Fn::Transform": {"Name": "Macro"}}},
        {"SourceArn": {"Fn::GetAtt": ["Nested", "Outputs.TopicArn"]}},
        {"SourceArn": "{{resolve:ssm:/topic/arn}}"},
        {"SourceArn": ["a", "list"]},
        {"principal": "123456789012", "Action": {"Ref": "Given"}},
        {"principal": None},
        {"principal": "*", "PrincipalOrgID": {"Ref": "Given"}},
    ],
)
def test_an_outcome_that_depends_on_a_reference_is_unknown(check: Any, properties: Any) -> None:
    """The exit code is 3, and the reason has no assumed value."""
    nested = {"Nested": {"Type": "AWS::CloudFormation::Stack"}}
    result = check(template(permission(**properties), resources=nested, Parameters=parameters("Given")))
    assert (result.code, result.findings) == (3, [])
    assert all("unresolved" not in reason for _, reason in result.unknowns)


def test_an_unresolved_organization_can_be_trusted_or_not(check: Any) -> None:
    """Both are possible values of the parameter."""
    body = template(permission("*", PrincipalOrgID={"Ref": "Org"}), Parameters=parameters("Org"))
    assert check(body, "--trusted-organization", "o-exampleorgid").code == 3


def test_only_allowed_values_are_evaluated(check: Any) -> None:
    """The parameter cannot have another value."""
    about = parameters("Who", AllowedValues=["123456789012", "111122223333"])
    body = template(permission({"Ref": "Who"}), Parameters=about)
    assert check(body).code == 3
    assert check(body, "--trusted-account", "111122223333").code == 0


def test_too_many_unresolved_values_are_unknown(check: Any) -> None:
    """There are too many combinations to evaluate."""
    names = [f"Part{number}" for number in range(9)]
    arn = {"Fn::Join": ["", [{"Ref": name} for name in names]]}
    result = check(template(permission(SourceArn=arn), Parameters=parameters(*names)))
    assert result.code == 3
    assert "too many values" in result.unknowns[0][1]


# ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────

IS_PROD = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
STAGE = {"Stage": {"Type": "String", "Default": "test"}}


def test_a_resource_that_the_defaults_exclude_is_named_and_not_evaluated(check: Any) -> None:
    """It is evaluated with the parameter that creates it."""
    body = template({**permission(), "Condition": "IsProd"}, Conditions={"IsProd": IS_PROD}, Parameters=STAGE)
    result = check(body)
    assert (result.code, [one["resource"] for one in result.document["left_out"]]) == (0, ["Permit0"])
    assert check(body, "--parameter", "Stage=prod").findings == [("PG102", "Permit0")]


def test_a_resource_with_an_undecided_condition_is_evaluated_as_created(check: Any) -> None:
    """Its condition depends on a parameter without a default."""
    body = template(
        {**permission(), "Condition": "IsProd"}, Conditions={"IsProd": IS_PROD}, Parameters=parameters("Stage")
    )
    assert check(body).findings == [("PG102", "Permit0")]


def test_both_branches_of_an_undecided_condition_are_evaluated(check: Any) -> None:
    """If both have the same outcome, it is not unknown."""
    either = {"Fn::If": ["IsProd", TOPIC, {"Ref": "AWS::NoValue"}]}
    about = {"Conditions": {"IsProd": IS_PROD}}
    body = template(permission(SourceArn=either), Parameters=parameters("Stage"), **about)
    assert check(body).unknowns == [
        ("PG102", "Unknown: it depends on the condition IsProd, which cannot be resolved from the file.")
    ]
    assert check(body, "--parameter", "Stage=prod").code == 0
    assert check(body, "--parameter", "Stage=test").findings == [("PG102", "Permit0")]
    same = permission(SourceArn={"Fn::If": ["IsProd", TOPIC, {"Fn::Sub": "arn:aws:sns:us-east-1:${AWS::AccountId}:b"}]})
    assert check(template(same, Parameters=parameters("Stage"), **about)).code == 0
    made = {**permission(SourceArn=either), "Condition": "IsProd"}
    assert check(template(made, Parameters=parameters("Stage"), **about)).code == 0


def test_too_many_conditions_are_an_error(check: Any) -> None:
    """The message names the option that helps."""
    names = [f"Is{number}" for number in range(8)]
    arn = {"Fn::Join": ["", [{"Fn::If": [name, "a", "b"]} for name in names]]}
    result = check(
        template(
            permission(SourceArn=arn),
            Conditions={name: {"Fn::Equals": [{"Ref": name}, "x"]} for name in names},
            Parameters=parameters(*names),
        )
    )
    assert result.code == 2
    assert "--parameter" in result.document["errors"][0]["message"]


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_template_without_permissions_passes(check: Any) -> None:
    """There is nothing to evaluate."""
    assert check({"Resources": {"Files": {"Type": "AWS::S3::Bucket"}}}).code == 0


def test_yaml_with_short_forms_is_read_as_cloudformation_reads_it(check: Any) -> None:
    """Dates and account IDs with a leading zero are strings."""
    result = check(
        """
AWSTemplateFormatVersion: 2010-09-09
Conditions:
  Never: !Not [!Equals [a, a]]
  Also: !And [!Condition Never, !Equals [a, a]]
Resources:
  Orders: {Type: AWS::Lambda::Function, Properties: {Role: x, Timeout: 3, Code: {ZipFile: !Sub {a: b}}}}
  Broad:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt Orders.Arn
      Action: lambda:InvokeFunction
      Principal: s3.amazonaws.com
      SourceArn: !Join [":", [arn, !Ref AWS::Partition, s3, "", "", files]]
      SourceAccount: 012345670123
  Left:
    Type: AWS::Lambda::Permission
    Condition: Also
"""
    )
    assert result.findings == [("PG106", "Broad")]
    assert "012345670123" in result.document["findings"][0]["reason"]
    assert result.document["left_out"][0]["resource"] == "Left"


def test_a_loop_is_unknown(check: Any) -> None:
    """The resources that it creates are unknown."""
    result = check(template(resources={"Fn::ForEach::Topics": ["Name", ["a"], {}]}))
    assert result.code == 3
    assert "Fn::ForEach::Topics is not expanded" in result.unknowns[0][1]


def test_options_set_the_account_and_region_of_the_deployment(check: Any) -> None:
    """The partition follows from the region."""
    result = check(template(permission()), "--account", "111122223333", "--region", "cn-north-1")
    arn = result.document["findings"][0]["function_arn"]
    assert arn == "arn:aws-cn:lambda:cn-north-1:111122223333:function:Orders"
    result = check(template(permission()), "--partition", "aws-us-gov")
    assert result.document["findings"][0]["function_arn"].startswith("arn:aws-us-gov:")


def test_a_finding_on_another_account_names_the_option_for_the_own_account(tmp_path: Path) -> None:
    """The placeholder account is used until the option is given."""
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template(permission("111122223333"))))
    code, output = run(str(file))
    assert code == 1
    assert "Set your account with --account" in output
    assert run(str(file), "--account", "111122223333")[0] == 0
    assert "Set your account" not in run(str(file), "--account", "999999999999")[1]


def test_the_table_names_resources_that_are_left_out(tmp_path: Path) -> None:
    """The line says that the resource was not checked."""
    file = tmp_path / "template.json"
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    file.write_text(json.dumps(template({**permission(), "Condition": "Never"}, Conditions=never)))
    code, output = run(str(file))
    assert code == 0
    assert "Permit0 is not created with these parameters and was not checked" in " ".join(output.split())


# ── Random templates ────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = st.sampled_from(["Orders", "A", "B", "AWS::AccountId", "AWS::NoValue", "P", "C", "Queue.Arn", "Role.Arn"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(0, 9), st.sampled_from(["*", "sns.amazonaws.com", "${A}", "${P}:${!x}", "C"])
)
CALLS = ["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::If", "Fn::FindInMap", "Fn::Equals"]
VALUES = st.recursive(
    LEAVES | NAMES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(CALLS), inner, min_size=1, max_size=1)
        | st.dictionaries(st.sampled_from(["Statement", "Effect", "Action", "Condition", "AWS"]), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPES = [
    "AWS::Lambda::Permission",
    "AWS::Lambda::ResourcePolicy",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Url",
    "AWS::IAM::Role",
    "AWS::IAM::Policy",
    "AWS::IAM::ManagedPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::StreamConsumer",
    "AWS::Events::Rule",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Version",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SNS::Subscription",
    "AWS::IoT::TopicRule",
    "AWS::Cognito::UserPool",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::SES::ReceiptRule",
    "AWS::CloudFront::Distribution",
    "AWS::EFS::AccessPoint",
    "AWS::KMS::Key",
]
PROPERTIES = [
    "FunctionName", "Principal", "Action", "SourceArn", "SourceAccount", "PrincipalOrgID", "InvokedViaFunctionUrl",
    "ResourceArn", "PolicyDocument", "EventSourceArn", "StartingPosition", "Enabled", "Role", "ManagedPolicyArns",
    "Policies", "Roles", "Path", "PermissionsBoundary", "Tags", "Queues", "TargetFunctionArn", "Qualifier", "Name",
    "StreamSpecification", "EventBusName", "StreamARN", "DestinationConfig", "DeadLetterConfig", "TracingConfig",
    "FileSystemConfigs", "VpcConfig", "LoggingConfig", "AuthType", "Targets", "Subscription", "Protocol", "Endpoint",
    "TopicArn", "NotificationConfiguration", "TopicRulePayload", "LambdaConfig", "Integration", "RestApiId", "ApiId",
    "ResourceId", "ParentId", "PathPart", "HttpMethod", "StageName", "StageVariables", "Body", "Target", "RouteKey",
    "IntegrationUri", "IntegrationType", "AlarmActions", "Rule", "DistributionConfig", "FileSystemId", "KmsMasterKeyId",
    "KeyPolicy", "Layers",
]  # fmt: skip
RESOURCES = st.dictionaries(
    st.sampled_from(["Orders", "A", "B", "Queue", "Role"]),
    VALUES
    | st.fixed_dictionaries(
        {"Type": st.sampled_from(TYPES) | LEAVES},
        optional={
            "Properties": VALUES | st.dictionaries(st.sampled_from(PROPERTIES), VALUES, max_size=6),
            "Condition": NAMES | LEAVES,
        },
    ),
    max_size=5,
)
TEMPLATES = st.fixed_dictionaries(
    {"Resources": RESOURCES},
    optional={
        "Parameters": VALUES | st.dictionaries(NAMES, VALUES),
        "Conditions": VALUES | st.dictionaries(NAMES, VALUES),
        "Mappings": VALUES,
        "Transform": VALUES,
    },
)


@settings(max_examples=400)
@given(TEMPLATES)
def test_no_template_makes_a_rule_crash(body: dict[str, Any]) -> None:
    """A malformed template is evaluated, unknown, or rejected with a message."""
    rules = [rule(TrustSet(frozenset())) for rule in RULES if rule.offline]
    try:
        found = contents(body, HERE, TrustSet(frozenset()), {})
    except InputError:
        return
    for offline_check in found.offline_checks:
        for verdict in evaluate_check(offline_check, rules):
            assert "crashed" not in verdict.reason
