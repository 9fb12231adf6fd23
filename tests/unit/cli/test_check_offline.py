"""`permission-guard check` sends nothing, whatever a file contains and whatever credentials there are."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.paths import REPOSITORY
from tests.unit.cli.conftest import run
from tests.unit.cli.test_check import BROAD, response
from tests.unit.cli.test_check_incomplete import FUNCTION, INCLUDED, permission
from tests.unit.cli.test_check_sam import TRANSFORM, event, template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = "arn:aws:serverlessrepo:us-east-1:123456789012:applications/layer"


def application(location: Any, **more: Any) -> dict[str, Any]:
    """Return a SAM template with a nested application and a permission that anyone's topic can use."""
    properties = {"Location": location, **more}
    resources = {
        "Layer": {"Type": "AWS::Serverless::Application", "Properties": properties},
        "Permit": permission(SourceArn={"Ref": "AWS::NoValue"}),
    }
    return template(event("SNS", Topic="arn:aws:sns:us-east-1:123456789012:x"), resources=resources)


APPLICATIONS = [
    application({"ApplicationId": APPLICATION_ID, "SemanticVersion": "1.0.0"}),
    application({"ApplicationId": APPLICATION_ID, "SemanticVersion": 1.0}, Parameters={"A": "b"}),
    application({"ApplicationId": APPLICATION_ID, "SemanticVersion": {"Ref": "Given"}}),
    application({"ApplicationId": {"Fn::FindInMap": ["Map", "Key", "Id"]}, "SemanticVersion": "1.0.0"}),
    application({"ApplicationId": "{{resolve:ssm:/id}}", "SemanticVersion": "1.0.0"}),
    application("https://s3.amazonaws.com/bucket/template.yaml"),
    application("./child/template.yaml"),
]
OTHERS = [
    response(BROAD),
    {"Resources": {"Orders": FUNCTION, "Permit": permission()}},
    {"Resources": {"Orders": template()["Resources"]["Orders"]}},
    template(event("Api", Path="/x", Method="get"), Policies=["AmazonS3ReadOnlyAccess", {"Ref": "Given"}]),
    template(AutoPublishAlias={"Ref": "Given"}, sections={"Parameters": {"Given": {"Type": "String"}}}),
    template(resources={"Door": {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionBody": INCLUDED}}}),
    {"Transform": [{"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/key"}}, TRANSFORM]},
    {"Resources": {"Stack": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x.com/a"}}}},
    {
        "Parameters": {"A": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}},
        "Resources": {"F": FUNCTION},
    },
]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """Refuse every use of a socket, with credentials that could sign a call. Return the attempts."""
    found: list[str] = []

    def refuse(*arguments: Any, **_more: Any) -> NoReturn:
        found.append(str(arguments))
        raise OSError("the network is not to be used")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    (tmp_path / "config").write_text("[default]\nregion = us-east-1\n[profile other]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    yield found
    assert found == []


@pytest.mark.usefixtures("attempts")
@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1"])
def test_nothing_is_sent(tmp_path: Path, region: str) -> None:
    """Templates with applications, macros, includes and parameters; policies; and the bot's own templates."""
    for number, content in enumerate([*APPLICATIONS, *OTHERS]):
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    files = [str(tmp_path), str(REPOSITORY / "template.yaml"), str(REPOSITORY / "stacks")]
    code, output = run(*files, "--region", region, "--format", "json")
    document = json.loads(output)
    assert code == 1
    assert document["counts"]["files"] >= len(APPLICATIONS) + len(OTHERS) - 1
    assert document["errors"] == []


@pytest.mark.usefixtures("attempts")
@pytest.mark.parametrize("profile", ["other", "missing"])
@pytest.mark.parametrize("body", APPLICATIONS)
def test_the_permission_beside_a_nested_application_is_judged(
    check: Any, monkeypatch: pytest.MonkeyPatch, body: Any, profile: str
) -> None:
    """No credentials are searched for: a profile that does not exist makes no difference."""
    monkeypatch.setenv("AWS_PROFILE", profile)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = check(body)
    assert (result.code, result.findings) == (1, [("PG102", "Permit")])
    assert [one["resource"] for one in result.document["nested_stacks"]] == ["Layer"]
    assert (result.document["unread"], result.document["errors"]) == ([], [])
