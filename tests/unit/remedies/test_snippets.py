"""The snippets of every case, read by the tools of their languages: cfn-lint, a parser of HCL, Terraform's form."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import hcl2
import pytest
import yaml
from cfnlint.api import lint  # type: ignore[import-untyped] # ships no types

from tests.unit.remedies.snippets import decided, terraform_blocks, uncommented
from tests.unit.remedies.test_guard import FAILING, case_of, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from permission_guard.model.verdicts import Remedy

_MOST_RESOURCES: Final = 200
_OPEN, _CLOSED = "([{", ")]}"
_INSTRUCTION: Final = re.compile(r"# (Remove this resource|Set \S+ )")
_ARGUMENT: Final = re.compile(r"( *)([a-z_]+)( *)= ", re.ASCII)


@cache
def remedies_of(path: Path, kind: str) -> tuple[Remedy, ...]:
    """Return the remedies of one kind for the findings of a case."""
    _, own, _ = case_of(path)
    return tuple(remedy for verdict in own.values() for remedy in verdict.remedies if remedy.kind == kind)


def texts_of(path: Path, kind: str) -> list[str]:
    """Return the texts of one kind, after each decision; what is to be removed counts as it was."""
    found = []
    for remedy in remedies_of(path, kind):
        found += decided(remedy) or [remedy.text]
    return [_as_it_was(text) for text in found]


def _as_it_was(text: str) -> str:
    """Return the resources that a text says to remove, without the sentences that say so."""
    if not _INSTRUCTION.match(text):
        return text
    return "\n".join(uncommented(line) for line in text.split("\n") if not _INSTRUCTION.match(line))


def resources() -> Iterator[dict[str, Any]]:
    """Yield each resource to add for CloudFormation, with what a function of SAM needs besides."""
    for path in FAILING:
        for text in (text for remedy in remedies_of(path, "sam") for text in decided(remedy)):
            for resource in yaml.safe_load_all(text):
                if resource and resource["Type"] == "AWS::Serverless::Function":
                    besides = {"Handler": "app.handler", "Runtime": "python3.13", "InlineCode": "#"}
                    resource["Properties"] = {**besides, **resource["Properties"]}
                if resource:
                    yield resource


def problems(template: Mapping[str, Any]) -> list[str]:
    """Return what cfn-lint says of a template."""
    return [str(match) for match in lint(yaml.safe_dump(template, sort_keys=False), regions=["us-east-1"])]


def test_cfn_lint_accepts_every_snippet() -> None:
    """Many together are one template: loading a template takes longer than a resource."""
    found = list(resources())
    assert len(found) > 100
    for start in range(0, len(found), _MOST_RESOURCES):
        part = found[start : start + _MOST_RESOURCES]
        transform = {"Transform": "AWS::Serverless-2016-10-31"}
        named = {f"Resource{number}": resource for number, resource in enumerate(part)}
        assert problems({"AWSTemplateFormatVersion": "2010-09-09", **transform, "Resources": named}) == []


def test_cfn_lint_would_report_a_snippet() -> None:
    """An invalid property proves that it runs."""
    resource = {"Type": "AWS::Lambda::Permission", "Properties": {"Action": "lambda:InvokeFunction", "Colour": "red"}}
    assert "Colour" in "".join(problems({"Resources": {"Permission": resource}}))


@pytest.mark.parametrize("path", [path for path in FAILING if remedies_of(path, "terraform")], ids=name_of)
def test_terraform_parses_every_snippet_in_its_own_form(path: Path) -> None:
    """As it is printed, and after a decision. `terraform fmt` would leave it as it is."""
    for text in [remedy.text for remedy in remedies_of(path, "terraform")] + texts_of(path, "terraform"):
        assert isinstance(hcl2.loads(f"{text}\n"), dict)
        assert list(unformatted(text)) == []


def test_no_two_blocks_of_different_content_have_the_same_label() -> None:
    """They are all pasted into the code of one account."""
    content: dict[tuple[str, str], dict[str, Any]] = {}
    count = 0
    for path in FAILING:
        for text in texts_of(path, "terraform"):
            for kind, label, arguments in terraform_blocks(hcl2.loads(f"{text}\n")):
                count += 1
                assert content.setdefault((kind, label), arguments) == arguments
    assert count > 200


def unformatted(text: str) -> Iterator[str]:
    """Yield the lines that `terraform fmt` would change.

    It indents by two spaces a level, where all brackets that a line opens are one level, aligns the `=` of consecutive
    arguments, and leaves no space at the end of a line. https://developer.hashicorp.com/terraform/language/style
    """
    levels: list[int] = []
    before: tuple[int, int] | None = None
    for line in text.split("\n"):
        code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line.partition("#")[0] if line.lstrip().startswith("#") else line)
        opened = sum(code.count(sign) for sign in _OPEN)
        closed = sum(code.count(sign) for sign in _CLOSED)
        net = opened - closed
        if net < 0:
            left = -net
            while left > 0 and levels:
                left -= levels.pop()
        indent = len(line) - len(line.lstrip(" "))
        if line != line.rstrip() or (line and indent != 2 * len(levels)):
            yield line
        argument = _ARGUMENT.match(line)
        position = (argument.end(), len(levels)) if argument else None
        if before and position and before[1] == position[1] and before[0] != position[0]:
            yield line
        if argument and len(argument[3]) > 1 and not before and not _next_is_longer(text, line):
            yield line
        before = position if net <= 0 else None
        if net > 0:
            levels.append(net)


def _next_is_longer(text: str, line: str) -> bool:
    following = text[text.index(line) + len(line) + 1 :].split("\n", maxsplit=1)[0]
    argument = _ARGUMENT.match(following)
    return argument is not None and argument.end() == _ARGUMENT.match(line).end()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        'resource "a" "b" {\n   name = "x"\n}',
        'resource "a" "b" {\n  name = "x"\n  longer = "y"\n}',
        'resource "a" "b" {\n  name   = "x"\n}',
        'resource "a" "b" {\n  name = "x" \n}',
        'resource "a" "b" {\n  policy = jsonencode({\n      "a": 1\n  })\n}',
    ],
)
def test_a_text_that_terraform_would_change_is_noticed(text: str) -> None:
    """Wrong indentation, alignment, and spaces at the end of a line."""
    assert list(unformatted(text)) != []
