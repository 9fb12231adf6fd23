"""`permission-guard check` judges SAM templates by what SAM makes of them, translated without AWS."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import TRUST_LAMBDA
from tests.paths import REPOSITORY
from tests.unit.cli.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

TRANSFORM = "AWS::Serverless-2016-10-31"


def template(events: Any = None, *, resources: Any = None, sections: Any = None, **properties: Any) -> dict[str, Any]:
    """Return a SAM template with the function `Orders`."""
    about = {"CodeUri": "src/", "Handler": "app.handler", "Runtime": "python3.13", "Events": events or {}, **properties}
    function = {"Type": "AWS::Serverless::Function", "Properties": about}
    return {"Transform": TRANSFORM, **(sections or {}), "Resources": {"Orders": function, **(resources or {})}}


def event(kind: str, **properties: Any) -> dict[str, Any]:
    """Return the one event of a function, called `On`."""
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
def test_the_permission_of_every_event_type_is_judged(check: Any, events: Any, resources: Any, rules: Any) -> None:
    """As SAM writes it, which for most is all right."""
    said = check(template(events, resources=resources))
    assert [rule for rule, _ in said.findings] == rules
    assert said.unknowns == []
    assert said.document["counts"]["passed"] > 0


def test_a_parameter_of_an_event_is_not_certain(check: Any) -> None:
    """As in any template."""
    sections = {"Parameters": {"Topic": {"Type": "String"}}}
    body = template(event("SNS", Topic={"Ref": "Topic"}), sections=sections)
    assert check(body).unknowns == [("PG106", "It hangs on Topic, which the file does not say.")]
    assert check(body, "--parameter", "Topic=arn:aws:sns:us-east-1:123456789012:orders").code == 0


def test_a_function_url_without_authentication_is_found(check: Any) -> None:
    """Both statements that SAM makes; none where it asks for a signature."""
    said = check(template(FunctionUrlConfig={"AuthType": "NONE"}))
    assert {rule for rule, _ in said.findings} == {"PG107"}
    assert check(template(FunctionUrlConfig={"AuthType": "AWS_IAM"})).code == 0


def test_what_sam_makes_is_marked_as_that(tmp_path: Path) -> None:
    """It is not in the file under that name."""
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
    for part in ("OrdersSkillPermission (made by SAM)", "Orders:live", "PG108", "Cure (SAM and CloudFormation)"):
        assert part in output
    assert "FunctionName: !Ref OrdersAliaslive" in output
    assert "EventSourceToken: amzn1.ask.skill.SKILL-ID" in output


QUEUE = {"Queue": {"Type": "AWS::SQS::Queue"}}
ON_QUEUE = event("SQS", Queue={"Fn::GetAtt": ["Queue", "Arn"]})


def test_the_role_that_sam_makes_may_read_the_queue(check: Any) -> None:
    """It has the managed policy."""
    assert check(template(ON_QUEUE, resources=QUEUE)).code == 0


def test_a_role_of_ones_own_is_judged(check: Any) -> None:
    """SAM adds nothing to it."""
    trust = {"AssumeRolePolicyDocument": TRUST_LAMBDA}
    role = {"Type": "AWS::IAM::Role", "Properties": trust}
    own = {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}
    said = check(template(ON_QUEUE, resources={**QUEUE, "Role": role}, **own))
    assert said.findings == [("PG201", "event-source-mapping/OrdersOn"), ("PG204", "logging")]
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
    """The one for queues carries what a mapping needs."""
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
    }
    policies = [{"SQSPollerPolicy": {"QueueName": {"Fn::GetAtt": ["Queue", "QueueName"]}}}]
    made = {**QUEUE, "Poll": mapping}
    assert check(template(resources=made, Policies=policies)).code == 0
    assert check(template(resources=made)).findings == [("PG201", "event-source-mapping/Poll")]


def test_local_files_and_images_are_not_looked_for(check: Any) -> None:
    """Code, layers and definitions are what is built later."""
    made = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer/"}},
        "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x", "DefinitionUri": "api.yaml"}},
        "Image": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"PackageType": "Image"},
            "Metadata": {"Dockerfile": "Dockerfile"},
        },
        "Table": {"Type": "AWS::Serverless::SimpleTable"},
    }
    said = check(template(resources=made, sections={"Globals": {"Function": {"Timeout": 3, "CodeUri": "src/"}}}))
    assert said.code == 0


@pytest.mark.parametrize(
    ("body", "logged"),
    [
        (template(event("Nonsense")), "SAM would refuse the template"),
        ({"Transform": [TRANSFORM], "Resources": {"Orders": 3}}, "SAM would refuse the template"),
        ({"Transform": TRANSFORM, "Resources": {}}, "SAM would refuse the template"),
        ({"Transform": TRANSFORM, "Resources": {"A": {"Type": [], "Properties": 3}}, "Globals": 3}, "SAM"),
    ],
)
def test_what_sam_refuses_is_told_in_its_words(check: Any, body: Any, logged: str) -> None:
    """It cannot be judged."""
    said = check(body)
    assert said.code == 2
    assert logged in said.document["errors"][0]["message"]


def test_a_translator_that_breaks_is_told(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not this program's to mend, and no traceback helps."""

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("Properties")

    monkeypatch.setattr("samtranslator.translator.translator.Translator.translate", broken)
    said = check(template())
    assert "SAM's translator failed on the template: KeyError" in said.document["errors"][0]["message"]


@pytest.mark.parametrize(
    ("missing", "content", "logged"),
    [("samtranslator", f"Transform: {TRANSFORM}\nResources: {{}}", "AWS's translator"), ("yaml", "a: b", "PyYAML")],
)
def test_what_is_not_installed_is_told_with_the_cure(
    check: Any, monkeypatch: pytest.MonkeyPatch, missing: str, content: str, logged: str
) -> None:
    """The packages are optional, for those who have such files."""
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    said = check(content)
    assert said.code == 2
    assert logged in said.document["errors"][0]["message"]
    assert "pip install 'permission-guard[cli]'" in said.document["errors"][0]["message"]


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_the_template_of_the_bot_itself_is_all_right(region: str) -> None:
    """In every partition."""
    code, output = run(str(REPOSITORY / "template.yaml"), "--region", region)
    assert code == 0, output
    assert "0 found, 0 not certain" in output
