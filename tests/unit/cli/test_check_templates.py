"""`permission-guard check` judges CloudFormation templates: their permissions, policies, roles and references."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permission_guard.errors import InputError
from permission_guard.iam import TrustSet
from permission_guard.offline.documents import contents
from permission_guard.offline.physical_names import Place
from permission_guard.offline.scenarios import judge
from permission_guard.rules import RULES
from tests.unit.cli.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

HERE = Place("123456789012", "us-east-1", "aws")
OWN_ACCOUNT = {"Ref": "AWS::AccountId"}
TOPIC = {"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:orders"}


def function(**properties: Any) -> dict[str, Any]:
    """Return a function."""
    return {"Type": "AWS::Lambda::Function", "Properties": {"Role": "arn:aws:iam::123456789012:role/x", **properties}}


def permission(principal: Any = "sns.amazonaws.com", **properties: Any) -> dict[str, Any]:
    """Return a permission for the function `Orders`."""
    about = {"FunctionName": {"Ref": "Orders"}, "Action": "lambda:InvokeFunction", "Principal": principal}
    return {"Type": "AWS::Lambda::Permission", "Properties": {**about, **properties}}


def template(*permissions: Any, resources: Any = None, **sections: Any) -> dict[str, Any]:
    """Return a template with the function `Orders` and with permissions called `Permit0` and so on."""
    made = {f"Permit{number}": about for number, about in enumerate(permissions)}
    return {**sections, "Resources": {"Orders": function(), **made, **(resources or {})}}


def parameters(*names: str, **about: Any) -> dict[str, Any]:
    """Return parameters without defaults."""
    return {name: {"Type": "String", **about} for name in names}


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_permission_is_judged_as_the_statement_that_lambda_makes_of_it(check: Any) -> None:
    """Its logical id is its name, and it belongs to the function that it names."""
    said = check(template(permission(), permission(SourceArn=TOPIC)))
    assert said.code == 1
    assert said.findings == [("PG102", "Permit0")]
    assert said.document["findings"][0]["function_arn"].endswith(":function:Orders")


def test_the_cure_is_for_the_template_and_uses_its_references(check: Any) -> None:
    """Never a command: the next deployment would undo it."""
    said = check(
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
    bucket, topic = said.document["findings"]
    assert [remedy["kind"] for remedy in bucket["remedies"]] == ["sam"]
    assert bucket["remedies"][0]["text"].splitlines()[2:] == [
        "  FunctionName: !GetAtt Orders.Arn",
        "  Action: lambda:InvokeFunction",
        "  Principal: s3.amazonaws.com",
        '  SourceArn: !Sub "arn:aws:s3:::${Files}"',
        "  SourceAccount: !Ref AWS::AccountId",
    ]
    assert "  FunctionName: !Ref Orders" in topic["remedies"][0]["text"]
    assert (
        'SourceArn: !Sub "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:TOPIC-NAME"'
        in (topic["remedies"][0]["text"])
    )


def test_a_cure_that_only_a_command_can_be_points_at_the_resource(check: Any) -> None:
    """What AddPermission cannot say is changed where it is written."""
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
    said = check(template(resources={"Own": policy}))
    assert said.findings == [("PG101", "Own-1")]
    assert said.document["findings"][0]["remedies"] == [
        {"kind": "sam", "text": "# Change or remove Own in the template."}
    ]


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
    """So that the rules say of a template what they would say of the policy."""
    said = check(template(permission(**{"principal": properties["Principal"], **properties}) | {}))
    assert [rule for rule, _ in said.findings] == findings


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
def test_a_function_is_found_however_it_is_named(check: Any, name: Any) -> None:
    """As AddPermission takes it."""
    found = check(template(permission(FunctionName=name))).document["findings"]
    assert [one["function_arn"] for one in found] == ["arn:aws:lambda:us-east-1:123456789012:function:Orders"]


def test_the_policy_of_an_alias_or_version_is_its_own(check: Any) -> None:
    """A reference to one is its ARN."""
    made = {
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
    said = check(template(*(permission(FunctionName=name) for name in names), resources=made))
    found = [one["function_arn"].partition(":function:")[2] for one in said.document["findings"]]
    assert found == ["Orders:live", "Orders:live", "Orders:1", "Orders:1", "Orders"]
    assert "FunctionName: !Ref Live" in said.document["findings"][0]["remedies"][0]["text"]


def test_a_permission_for_a_function_elsewhere_is_judged_too(check: Any) -> None:
    """Its name does not matter to the answer, and is shown as the reference it is."""
    said = check(template(permission(FunctionName={"Fn::ImportValue": "orders-arn"})))
    assert said.findings == [("PG102", "Permit0")]
    assert said.document["findings"][0]["title"].endswith("invoke ${import of orders-arn}")
    assert check(template(permission(FunctionName="not a function!"))).findings == [("PG102", "Permit0")]


def test_statements_of_one_function_are_one_policy(check: Any) -> None:
    """A statement for a URL is judged with the other half of what it takes, and with the URL."""
    url: dict[str, Any] = {
        "Type": "AWS::Lambda::Url",
        "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["Orders", "Arn"]}, "AuthType": "NONE"},
    }
    halves = (
        permission("*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"),
        permission("*", InvokedViaFunctionUrl=True),
    )
    said = check(template(*halves, resources={"Url": url}))
    assert [(one["subject"], one["severity"]) for one in said.document["findings"]] == [
        ("statement/Permit0", "high"),
        ("statement/Permit1", "high"),
    ]
    url["Properties"]["Qualifier"] = "live"
    severities = [one["severity"] for one in check(template(*halves, resources={"Url": url})).document["findings"]]
    assert set(severities) == {"medium"}


def test_a_resource_policy_is_judged_statement_by_statement(check: Any) -> None:
    """With its Deny statements, whether it is an object or a text."""
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
        about = {"ResourceArn": {"Fn::GetAtt": ["Orders", "Arn"]}, "PolicyDocument": {"Statement": list(listed)}}
        return template(
            resources={"Own": {"Type": "AWS::Lambda::ResourcePolicy", "Properties": about}},
            Parameters=parameters("Partner"),
        )

    said = check(own(*statements))
    assert said.findings == [("PG102", "Broad")]
    assert ("PG106", "It hangs on Partner, which the file does not say.") in said.unknowns
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
def test_a_resource_policy_that_cannot_be_read_is_not_certain(check: Any, document: Any) -> None:
    """It may say anything."""
    policy = {"Type": "AWS::Lambda::ResourcePolicy", "Properties": {"PolicyDocument": document}}
    said = check(template(resources={"Own": policy}))
    assert said.code == 3


# ── References that are not resolved ────────────────────────────────────────────────────────────────────────────────


def test_what_hangs_on_a_parameter_is_not_certain_and_names_it(check: Any) -> None:
    """Neither a pass nor a finding; given a value, it is one of them."""
    body = template(permission(SourceArn={"Ref": "TopicArn"}), Parameters=parameters("TopicArn"))
    said = check(body)
    assert said.code == 3
    assert said.unknowns == [("PG106", "It hangs on TopicArn, which the file does not say.")]
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
def test_what_is_settled_by_the_rest_passes_all_the_same(check: Any, properties: Any) -> None:
    """A gap that cannot turn the answer is no noise."""
    machine = {"Machine": {"Type": "AWS::Robotics::Machine"}}
    said = check(template(permission(**properties), resources=machine, Parameters=parameters("Given")))
    assert (said.code, said.unknowns) == (0, [])
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
def test_what_is_wrong_whatever_is_given_is_found(check: Any, properties: Any, rules: Any) -> None:
    """A gap does not hide what is wrong beside it, and is shown by its name."""
    said = check(template(permission(**properties), Parameters=parameters("Given")))
    assert said.code == 1
    assert [rule for rule, _ in said.findings] == rules
    assert "unresolved" not in str(said.document)


def test_a_gap_in_an_arn_is_shown_by_its_name(check: Any) -> None:
    """In the title as in the cure."""
    bucket = permission("s3.amazonaws.com", SourceArn={"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Bucket"}]]})
    finding = check(template(bucket, Parameters=parameters("Bucket"))).document["findings"][0]
    assert finding["title"] == "Whoever owns the name ${Bucket} can have Orders invoked"
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
        {"SourceArn": {"Fn::Sub": "${Given}/orders"}},
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
def test_what_may_go_either_way_is_not_certain(check: Any, properties: Any) -> None:
    """Exit code 3, and the reference is named."""
    nested = {"Nested": {"Type": "AWS::CloudFormation::Stack"}}
    said = check(template(permission(**properties), resources=nested, Parameters=parameters("Given")))
    assert (said.code, said.findings) == (3, [])
    assert all("unresolved" not in reason for _, reason in said.unknowns)


def test_an_organization_that_is_given_is_taken_to_be_any(check: Any) -> None:
    """One that is trusted, or another."""
    body = template(permission("*", PrincipalOrgID={"Ref": "Org"}), Parameters=parameters("Org"))
    assert check(body, "--trusted-organization", "o-exampleorgid").code == 3


def test_allowed_values_are_all_that_is_tried(check: Any) -> None:
    """A parameter that can only be one of a few."""
    about = parameters("Who", AllowedValues=["123456789012", "111122223333"])
    body = template(permission({"Ref": "Who"}), Parameters=about)
    assert check(body).code == 3
    assert check(body, "--trusted-account", "111122223333").code == 0


def test_too_many_gaps_are_not_certain(check: Any) -> None:
    """Rather than a long wait or a guess."""
    names = [f"Part{number}" for number in range(9)]
    arn = {"Fn::Join": ["", [{"Ref": name} for name in names]]}
    said = check(template(permission(SourceArn=arn), Parameters=parameters(*names)))
    assert said.code == 3
    assert "Too much" in said.unknowns[0][1]


# ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────

IS_PROD = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
STAGE = {"Stage": {"Type": "String", "Default": "test"}}


def test_what_the_defaults_leave_out_is_not_judged_and_named(check: Any) -> None:
    """With the parameter that makes it, it is judged."""
    body = template({**permission(), "Condition": "IsProd"}, Conditions={"IsProd": IS_PROD}, Parameters=STAGE)
    said = check(body)
    assert (said.code, [one["resource"] for one in said.document["left_out"]]) == (0, ["Permit0"])
    assert check(body, "--parameter", "Stage=prod").findings == [("PG102", "Permit0")]


def test_what_may_be_made_is_judged_as_if_it_were(check: Any) -> None:
    """Whether it is made hangs on a parameter without a default."""
    body = template(
        {**permission(), "Condition": "IsProd"}, Conditions={"IsProd": IS_PROD}, Parameters=parameters("Stage")
    )
    assert check(body).findings == [("PG102", "Permit0")]


def test_both_branches_count_where_the_condition_is_not_decided(check: Any) -> None:
    """The same answer from both is certain."""
    either = {"Fn::If": ["IsProd", TOPIC, {"Ref": "AWS::NoValue"}]}
    about = {"Conditions": {"IsProd": IS_PROD}}
    body = template(permission(SourceArn=either), Parameters=parameters("Stage"), **about)
    assert check(body).unknowns == [("PG102", "It hangs on the condition IsProd, which the file does not say.")]
    assert check(body, "--parameter", "Stage=prod").code == 0
    assert check(body, "--parameter", "Stage=test").findings == [("PG102", "Permit0")]
    same = permission(SourceArn={"Fn::If": ["IsProd", TOPIC, {"Fn::Sub": "arn:aws:sns:us-east-1:${AWS::AccountId}:b"}]})
    assert check(template(same, Parameters=parameters("Stage"), **about)).code == 0
    made = {**permission(SourceArn=either), "Condition": "IsProd"}
    assert check(template(made, Parameters=parameters("Stage"), **about)).code == 0


def test_too_many_conditions_are_told(check: Any) -> None:
    """With the cure."""
    names = [f"Is{number}" for number in range(8)]
    arn = {"Fn::Join": ["", [{"Fn::If": [name, "a", "b"]} for name in names]]}
    said = check(
        template(
            permission(SourceArn=arn),
            Conditions={name: {"Fn::Equals": [{"Ref": name}, "x"]} for name in names},
            Parameters=parameters(*names),
        )
    )
    assert said.code == 2
    assert "--parameter" in said.document["errors"][0]["message"]


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_template_without_permissions_is_all_right(check: Any) -> None:
    """There is nothing to judge."""
    assert check({"Resources": {"Files": {"Type": "AWS::S3::Bucket"}, "Odd": 3}}).code == 0


def test_yaml_with_short_forms_is_read_as_cloudformation_reads_it(check: Any) -> None:
    """Dates and account ids with a leading zero are texts."""
    said = check(
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
    assert said.findings == [("PG106", "Broad")]
    assert "012345670123" in said.document["findings"][0]["reason"]
    assert said.document["left_out"][0]["resource"] == "Left"


def test_a_loop_is_not_certain(check: Any) -> None:
    """What it makes is not known here."""
    said = check(template(resources={"Fn::ForEach::Topics": ["Name", ["a"], {}]}))
    assert said.code == 3
    assert "Fn::ForEach::Topics is not expanded" in said.unknowns[0][1]


def test_the_place_of_the_deployment_is_given_by_options(check: Any) -> None:
    """The partition follows from the region."""
    said = check(template(permission()), "--account", "111122223333", "--region", "cn-north-1")
    arn = said.document["findings"][0]["function_arn"]
    assert arn == "arn:aws-cn:lambda:cn-north-1:111122223333:function:Orders"
    said = check(template(permission()), "--partition", "aws-us-gov")
    assert said.document["findings"][0]["function_arn"].startswith("arn:aws-us-gov:")


def test_a_foreign_account_may_be_ones_own_where_none_was_given(tmp_path: Path) -> None:
    """The finding stands, and the option that may settle it is told."""
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template(permission("111122223333"))))
    code, output = run(str(file))
    assert code == 1
    assert "say --account if they are not" in output
    assert run(str(file), "--account", "111122223333")[0] == 0
    assert "say --account" not in run(str(file), "--account", "999999999999")[1]


def test_what_is_left_out_is_told_in_the_table_too(tmp_path: Path) -> None:
    """So that nobody takes it for judged."""
    file = tmp_path / "template.json"
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    file.write_text(json.dumps(template({**permission(), "Condition": "Never"}, Conditions=never)))
    code, output = run(str(file))
    assert code == 0
    assert "Permit0 is not made with the parameters as they stand" in " ".join(output.split())


# ── Anything at all ─────────────────────────────────────────────────────────────────────────────────────────────────

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
]
PROPERTIES = [
    "FunctionName", "Principal", "Action", "SourceArn", "SourceAccount", "PrincipalOrgID", "InvokedViaFunctionUrl",
    "ResourceArn", "PolicyDocument", "EventSourceArn", "StartingPosition", "Enabled", "Role", "ManagedPolicyArns",
    "Policies", "Roles", "Path", "PermissionsBoundary", "Tags", "Queues", "TargetFunctionArn", "Qualifier", "Name",
    "StreamSpecification", "EventBusName", "StreamARN",
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


@settings(max_examples=400, deadline=None)
@given(TEMPLATES)
def test_no_template_makes_it_crash(body: dict[str, Any]) -> None:
    """However malformed: it is judged, not certain, or refused with a sentence."""
    rules = [rule(TrustSet(frozenset())) for rule in RULES if rule.offline]
    try:
        found = contents(body, HERE, TrustSet(frozenset()), {})
    except InputError:
        return
    for offline_check in found.offline_checks:
        for verdict in judge(offline_check, rules):
            assert "crashed" not in verdict.reason
