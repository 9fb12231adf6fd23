"""`permission-guard check` evaluates the CloudFormation templates that SAM generates, without AWS."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.offline.sam import _translator
from tests.fakes import TRUST_LAMBDA
from tests.paths import REPOSITORY
from tests.unit.cli.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
TRANSFORM = "AWS::Serverless-2016-10-31"


def template(events: Any = None, *, resources: Any = None, sections: Any = None, **more: Any) -> dict[str, Any]:
    """Return a SAM template with the function `Orders`."""
    properties = {"CodeUri": "src/", "Handler": "app.handler", "Runtime": "python3.13", "Events": events or {}, **more}
    function = {"Type": "AWS::Serverless::Function", "Properties": properties}
    return {"Transform": TRANSFORM, **(sections or {}), "Resources": {"Orders": function, **(resources or {})}}


def event(kind: str, **properties: Any) -> dict[str, Any]:
    """Return one event of a function, with the name `On`."""
    return {"On": {"Type": kind, "Properties": properties}}


POOL = {"Users": {"Type": "AWS::Cognito::UserPool"}}
FILES = {"Files": {"Type": "AWS::S3::Bucket"}}


@pytest.mark.parametrize(
    ("events", "resources", "rules"),
    [
        (event("S3", Bucket={"Ref": "Files"}, Events="s3:ObjectCreated:*"), FILES, []),
        (event("SNS", Topic={"Ref": "Topic"}), {"Topic": {"Type": "AWS::SNS::Topic"}}, []),
        (event("SNS", Topic="arn:aws:sns:us-east-1:111122223333:partner"), {}, ["PG106"]),
        (event("Api", Path="/orders", Method="get"), {}, []),
        (event("HttpApi", Path="/orders", Method="get"), {}, []),
        (event("Schedule", Schedule="rate(1 day)"), {}, []),
        (event("EventBridgeRule", Pattern={"source": ["orders"]}), {}, []),
        (event("EventBridgeRule", Pattern={"source": ["orders"]}, EventBusName="bus"), {}, []),
        (event("CloudWatchLogs", LogGroupName="orders", FilterPattern=""), {}, []),
        (event("IoTRule", Sql="SELECT * FROM 'orders'"), {}, []),
        (event("Cognito", UserPool={"Ref": "Users"}, Trigger="PreSignUp"), POOL, []),
        (event("AlexaSkill"), {}, ["PG108"]),
        (event("AlexaSkill", SkillId="amzn1.ask.skill.0a1b2c3d"), {}, []),
    ],
    ids=lambda value: value.get("On", {}).get("Type") if isinstance(value, dict) else None,
)
def test_the_permission_of_every_event_type_is_evaluated(check: Any, events: Any, resources: Any, rules: Any) -> None:
    """Most permissions that SAM creates have no problem."""
    result = check(template(events, resources=resources))
    assert [rule for rule, _ in result.findings] == rules
    assert result.unknowns == []
    assert result.document["counts"]["passed"] > 0


def test_a_parameter_of_an_event_is_unknown(check: Any) -> None:
    """It is unresolved, as in a CloudFormation template."""
    sections = {"Parameters": {"Topic": {"Type": "String"}}}
    body = template(event("SNS", Topic={"Ref": "Topic"}), sections=sections)
    assert check(body).unknowns == [("PG106", "Unknown: it depends on Topic, which cannot be resolved from the file.")]
    assert check(body, "--parameter", "Topic=arn:aws:sns:us-east-1:123456789012:orders").code == 0


def test_a_function_url_without_authentication_is_found(check: Any) -> None:
    """Both statements that SAM creates are found; with AWS_IAM there are no findings."""
    result = check(template(FunctionUrlConfig={"AuthType": "NONE"}))
    assert {rule for rule, _ in result.findings} == {"PG107"}
    assert check(template(FunctionUrlConfig={"AuthType": "AWS_IAM"})).code == 0


def test_a_resource_that_sam_creates_is_marked(tmp_path: Path) -> None:
    """Its name is not in the file."""
    file = tmp_path / "template.yaml"
    file.write_text(
        f"""
Transform: {TRANSFORM}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "#"
      Handler: index.handler
      Runtime: python3.13
      AutoPublishAlias: live
      Events:
        Skill: {{Type: AlexaSkill}}
"""
    )
    code, output = run(str(file))
    assert code == 1
    for part in (
        "OrdersSkillPermission (created by SAM)",
        "Orders:live",
        "PG108",
        "Remedy (SAM and CloudFormation, after a decision)",
    ):
        assert part in output
    assert "FunctionName: !Ref OrdersAliaslive" in output
    assert 'EventSourceToken: "amzn1.ask.skill.<SKILL-ID>"' in output


QUEUE = {"Queue": {"Type": "AWS::SQS::Queue"}}
ON_QUEUE = event("SQS", Queue={"Fn::GetAtt": ["Queue", "Arn"]})


def test_the_role_that_sam_creates_may_read_the_queue(check: Any) -> None:
    """SAM attaches the managed policy."""
    assert check(template(ON_QUEUE, resources=QUEUE)).code == 0


def test_a_role_in_the_template_is_evaluated(check: Any) -> None:
    """SAM adds nothing to this role."""
    trust = {"AssumeRolePolicyDocument": TRUST_LAMBDA}
    role = {"Type": "AWS::IAM::Role", "Properties": trust}
    own = {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}
    result = check(template(ON_QUEUE, resources={**QUEUE, "Role": role}, **own))
    assert result.findings == [("PG201", "event-source-mapping/OrdersOn"), ("PG204", "logging")]
    statement = {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
    }
    logs = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
    policies = [{"PolicyName": "read", "PolicyDocument": {"Statement": [statement, logs]}}]
    role["Properties"] = {**trust, "Policies": policies}
    assert check(template(ON_QUEUE, resources={**QUEUE, "Role": role}, **own)).code == 0


def test_a_policy_template_of_sam_is_expanded(check: Any) -> None:
    """SQSPollerPolicy allows what a mapping needs."""
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
    }
    policies = [{"SQSPollerPolicy": {"QueueName": {"Fn::GetAtt": ["Queue", "QueueName"]}}}]
    resources = {**QUEUE, "Poll": mapping}
    assert check(template(resources=resources, Policies=policies)).code == 0
    assert check(template(resources=resources)).findings == [("PG201", "event-source-mapping/Poll")]


def test_local_files_and_images_do_not_have_to_exist(check: Any) -> None:
    """Code, layers and definitions are not read."""
    resources = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer/"}},
        "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x", "DefinitionUri": "api.yaml"}},
        "Image": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"PackageType": "Image"},
            "Metadata": {"Dockerfile": "Dockerfile"},
        },
        "Table": {"Type": "AWS::Serverless::SimpleTable"},
    }
    result = check(template(resources=resources, sections={"Globals": {"Function": {"Timeout": 3, "CodeUri": "src/"}}}))
    assert result.code == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (template(event("Nonsense")), "SAM rejects the template"),
        ({"Transform": [TRANSFORM], "Resources": {"Orders": 3}}, "SAM rejects the template"),
        ({"Transform": TRANSFORM, "Resources": {}}, "SAM rejects the template"),
        ({"Transform": TRANSFORM, "Resources": {"A": {"Type": [], "Properties": 3}}, "Globals": 3}, "SAM"),
    ],
)
def test_a_template_that_sam_rejects_is_reported_with_sams_message(check: Any, body: Any, message: str) -> None:
    """Such a template cannot be evaluated."""
    result = check(body)
    assert result.code == 2
    assert message in result.document["errors"][0]["message"]


def test_an_error_of_the_translator_is_reported(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no traceback."""

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("Properties")

    monkeypatch.setattr("samtranslator.translator.translator.Translator.translate", broken)
    result = check(template())
    assert "SAM's translator cannot translate the template: KeyError" in result.document["errors"][0]["message"]


@pytest.mark.parametrize(
    ("missing", "content", "message"),
    [
        (
            "samtranslator",
            f"Transform: {TRANSFORM}\nResources: {{A: {{Type: B}}}}",
            "SAM templates need AWS's translator: pip install aws-sam-translator",
        ),
        ("yaml", "a: b", "YAML files need PyYAML: pip install pyyaml"),
    ],
)
def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    check: Any, monkeypatch: pytest.MonkeyPatch, missing: str, content: str, message: str
) -> None:
    """An installation without its dependencies lacks them; only some files need them."""
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "permission_guard.offline.cloudformation_yaml", raising=False)
    _translator.cache_clear()
    result = check(content)
    assert result.code == 2
    assert result.document["errors"][0]["message"] == message


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_the_template_of_the_bot_has_no_findings(region: str) -> None:
    """The regions are in different partitions."""
    code, output = run(str(REPOSITORY / "template.yaml"), "--region", region)
    assert code == 0, output
    assert "0 findings, 0 unknown" in output


# ── What SAM rejects here and may accept in AWS ─────────────────────────────────────────────────────────────────────

STORED = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}
GIVEN = {"Parameters": {"Given": {"Type": "String"}, "Stored": STORED}}
REF = {"Ref": "Given"}
SECOND = template()["Resources"]["Orders"]
BROAD = {
    "Type": "AWS::Lambda::Permission",
    "Properties": {"FunctionName": "other", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"},
}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (template(AutoPublishAlias=REF), "live"),
        (template(AutoPublishAlias="live", AutoPublishCodeSha256=REF), "a" * 64),
        (template(PackageType=REF), "Zip"),
        (template({"On": {"Type": REF, "Properties": {"Topic": TOPIC}}}), "SNS"),
        (template(event("SNS", Topic=TOPIC, SqsSubscription=REF)), "true"),
        (template(event("Api", Path=REF, Method="get")), "/orders"),
        (template(event("Api", Path={"Fn::Sub": "/${Given}"}, Method="get")), "orders"),
        (template(event("HttpApi", Path="/orders", Method=REF)), "get"),
        (template(DeadLetterQueue={"Type": REF, "TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"}), "SQS"),
        (template(sections={"Globals": {"Function": {"AutoPublishAlias": REF}}}), "live"),
    ],
)
def test_a_parameter_without_a_value_is_named_where_sam_wants_one(check: Any, body: Any, value: str) -> None:
    """The resource is not read, all others are. With --parameter it is read."""
    body = {**GIVEN, **body}
    body["Resources"]["Other"] = BROAD
    result = check(body)
    assert (result.code, result.findings, result.document["errors"]) == (1, [("PG102", "Other")], [])
    (unread,) = result.document["unread"]
    assert unread["part"] == "Orders"
    assert "SAM needs the value of Given (set it with --parameter Given=…). SAM says: " in unread["reason"]
    del body["Resources"]["Other"]
    assert check(body).code == 3
    assert check(body, "--parameter", f"Given={value}").document["unread"] == []


def test_the_name_of_a_stored_parameter_is_no_value(check: Any) -> None:
    """Its default is the name of a parameter in Parameter Store."""
    result = check({**GIVEN, **template(AutoPublishAlias={"Ref": "Stored"})})
    assert (result.code, [one["part"] for one in result.document["unread"]]) == (3, ["Orders"])


def test_what_refers_to_an_unread_resource_is_unread(check: Any) -> None:
    """SAM also rejects the events of an API that it rejects."""
    api = {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x", "OpenApiVersion": REF}}
    on = event("Api", Path="/x", Method="get", RestApiId={"Ref": "Door"})
    result = check({**GIVEN, **template(on, resources={"Door": api})})
    assert result.code == 3
    assert [one["part"] for one in result.document["unread"]] == ["Door", "Orders"]
    assert "SAM needs Door, which was not read" in result.document["unread"][1]["reason"]


def test_a_template_that_aws_rejects_too_is_not_valid(check: Any) -> None:
    """SAM resolves neither imports nor conditions, and an error elsewhere does not depend on the parameter."""
    imported = {"Fn::ImportValue": "api"}
    assert check({**GIVEN, **template(event("Api", Path="/x", Method="get", RestApiId=imported))}).code == 2
    assert check({**GIVEN, **template(event("Nonsense"), resources={"Other": SECOND}, Timeout=REF)}).code == 3
    assert check({**GIVEN, **template(event("Nonsense"), Timeout=3)}).code == 2


def test_code_that_only_sam_uploads_is_not_read(check: Any) -> None:
    """A schema, a definition and a layer can be paths or references."""
    resources = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": REF}},
        "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x", "DefinitionUri": {"Fn::Sub": "s3://${Given}/x"}}},
        "Graph": {
            "Type": "AWS::Serverless::GraphQLApi",
            "Properties": {"SchemaUri": "schema.graphql", "Auth": {"Type": "API_KEY"}},
        },
        "Machine": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": REF}},
    }  # fmt: skip
    assert check({**GIVEN, **template(resources=resources)}).code == 0


@pytest.mark.parametrize(
    "transform", [["AWS::LanguageExtensions", TRANSFORM], [["AWS::LanguageExtensions", TRANSFORM]]]
)
def test_functions_of_a_loop_are_translated(check: Any, transform: Any) -> None:
    """The loop is expanded first. The findings name the resources that it produces."""
    second: Any = SECOND["Properties"]
    broad: Any = BROAD["Properties"]
    loop = [
        "Name",
        {"Ref": "Names"},
        {
            "Do${Name}": {**SECOND, "Properties": {**second, "FunctionUrlConfig": {"AuthType": "NONE"}}},
            "Permit${Name}": {**BROAD, "Properties": {**broad, "FunctionName": {"Ref": "Do${Name}"}}},
        },
    ]
    parameters = {"Names": {"Type": "CommaDelimitedList", "Default": "A,B"}}
    body = {"Transform": transform, "Parameters": parameters, "Resources": {"Fn::ForEach::Functions": loop}}
    result = check(body)
    assert {one for one in result.findings if one[0] == "PG102"} == {("PG102", "PermitA"), ("PG102", "PermitB")}
    assert {one["function_arn"].rpartition(":")[2] for one in result.document["findings"]} == {"DoA", "DoB"}
    assert (result.unknowns, result.document["unread"]) == ([], [])
    del parameters["Names"]["Default"]
    body["Resources"]["Orders"] = SECOND
    result = check(body)
    assert (result.code, result.findings) == (3, [])
    assert "Fn::ForEach::Functions is not expanded" in result.unknowns[0][1]


def test_a_resource_that_language_extensions_change_can_be_valid(check: Any) -> None:
    """AWS resolves their functions before it runs SAM."""
    size = template(AutoPublishAlias={"Fn::FindInMap": ["Map", "Key", "Alias", {"DefaultValue": "live"}]})
    assert check(size).code == 2
    result = check({**size, "Transform": ["AWS::LanguageExtensions", TRANSFORM]})
    assert (result.code, result.document["errors"]) == (3, [])
    result = check({**template(event("Nonsense")), "Transform": ["Expand", TRANSFORM]})
    assert (result.code, result.document["errors"]) == (3, [])
