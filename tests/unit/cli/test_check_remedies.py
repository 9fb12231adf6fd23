"""The remedies for a template, put into it: cfn-lint accepts them, whatever expressions the template has."""

from __future__ import annotations

import json
from itertools import starmap
from typing import TYPE_CHECKING

import yaml
from cfnlint.api import lint  # type: ignore[import-untyped] # ships no types

from permission_guard.model.verdicts import Remedy
from tests.unit.cli.conftest import run
from tests.unit.remedies.snippets import decided

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
Transform: AWS::LanguageExtensions
Parameters:
  Stage: {Type: String, Default: prod}
  Given: {Type: String}
  Names: {Type: CommaDelimitedList}
Mappings:
  Of: {prod: {Name: acme-uploads}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Orders:
    Type: AWS::Lambda::Function
    Properties:
      Role: arn:aws:iam::123456789012:role/orders
      Code: {ZipFile: "#"}
      Handler: index.handler
      Runtime: python3.13
  Live: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Orders, FunctionVersion: "1", Name: live}}
  Files: {Type: AWS::S3::Bucket}
  Topic: {Type: AWS::SNS::Topic}
"""
FUNCTIONS = (
    "!Ref Orders",
    "!GetAtt Orders.Arn",
    "!Ref Live",
    "orders",
    '!Sub "${Orders}:live"',
    "!ImportValue function",
    '{"Fn::ImportValue": !Sub "${Stage}-function"}',
    "!Ref Given",
    "!Select [0, !Ref Names]",
    "!FindInMap [Of, !Ref Stage, Name]",
    "!If [IsProd, !Ref Orders, !ImportValue other]",
    '"{{resolve:ssm:/function}}"',
)
SOURCES = (
    "!GetAtt Files.Arn",
    '!Sub "arn:aws:s3:::${Given}"',
    '!Sub "arn:${AWS::Partition}:s3:::${Files}"',
    "!ImportValue bucket",
    '{"Fn::ImportValue": !Sub "${Stage}-bucket"}',
    '!Join ["", ["arn:aws:s3:::", !ImportValue bucket]]',
    '!Join ["", ["arn:aws:s3:::", !Ref Given]]',
    "!Select [0, !Ref Names]",
    '!Sub ["arn:aws:s3:::${Name}", {Name: !ImportValue bucket}]',
    '!Sub ["arn:aws:s3:::${Name}", {Name: !FindInMap [Of, !Ref Stage, Name]}]',
    "!If [IsProd, !GetAtt Files.Arn, !ImportValue bucket]",
    '"{{resolve:ssm:/bucket}}"',
    '!Sub "arn:aws:s3:::{{resolve:ssm:/bucket}}"',
)
IGNORED = {"W2001", "W8001", "W7001", "W1030", "W3663", "W2531"}
"""Unused parts of the template, and what it already has."""


def permission(number: int, function: str, source: str = "") -> str:
    """Return a resource."""
    lines = [f"  Permit{number}:", "    Type: AWS::Lambda::Permission", "    Properties:"]
    lines += [
        "      Action: lambda:InvokeFunction",
        "      Principal: s3.amazonaws.com",
        f"      FunctionName: {function}",
    ]
    return "\n".join([*lines, *([f"      SourceArn: {source}"] if source else [])])


def with_remedies(tmp_path: Path, text: str) -> tuple[int, list[str]]:
    """Return how many snippets a template has, and what cfn-lint says of it with all of them."""
    file = tmp_path / "template.yaml"
    file.write_text(text)
    _, output = run(str(file), "--format", "json")
    remedies = [Remedy(**one) for finding in json.loads(output)["findings"] for one in finding["remedies"]]
    snippets = [part for one in remedies if one.kind == "sam" for part in decided(one)]
    resources = [part for snippet in snippets for part in snippet.split("\n---\n") if part.startswith("Type:")]
    for number, resource in enumerate(resources):
        text += "\n".join([f"\n  Added{number}:", *(f"    {line}" for line in resource.split("\n"))])
    said = [str(match) for match in lint(text, regions=["us-east-1"]) if match.rule.id not in IGNORED]
    assert yaml.compose(text)
    return len(resources), said


def test_remedies_name_each_function_as_the_template_does(tmp_path: Path) -> None:
    """By a reference, an import, or an expression that the file does not resolve."""
    count, said = with_remedies(tmp_path, HEAD + "\n".join(starmap(permission, enumerate(FUNCTIONS))))
    assert said == []
    assert count >= len(FUNCTIONS)


def test_remedies_name_each_source_as_the_template_does(tmp_path: Path) -> None:
    """By a reference, an import, or an expression that the file does not resolve."""
    permissions = (permission(number, "!Ref Orders", source) for number, source in enumerate(SOURCES))
    count, said = with_remedies(tmp_path, HEAD + "\n".join(permissions))
    assert said == []
    assert count >= len(SOURCES)


def test_a_snippet_that_cloudformation_refuses_would_be_reported(tmp_path: Path) -> None:
    """A reference to nothing in the template itself."""
    _, said = with_remedies(tmp_path, HEAD + permission(0, "!Ref Orders", "!Ref Nothing"))
    assert said != []
