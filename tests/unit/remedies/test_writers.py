"""The writers of remedies: any text stays one value, in the shell, in Terraform and in YAML."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import jmespath
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from permission_guard.remedies import cloudformation, terraform
from permission_guard.remedies.aws_cli import aws
from permission_guard.rules.execution_role.role_shared import _jmespath
from tests import hcl, shell
from tests.fakes import REGION

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    "$(echo >pwned)",
    "`echo >pwned`",
    "'; echo >pwned; '",
    '"; echo >pwned; "',
    "a\nb: c",
    "; id",
    '${file("/x")}',
    "$${x} %%{x}",
    "%{ for x in y }",
    "# comment",
    "a: b",
    "- item",
    "--option",
    "-x",
    "\u2028line\u2029\x85",
    "\u202eright",
    "\\",
    "\\u0024{x}",
    "* ?[a-z] ~ {a,b}",
    "!!python/object !Ref x",
    "&anchor *alias",
    "| > % @",
    "🎉 ö",
    "\x7f\x1b[2J",
    "<<EOF",
    "''",
    '""',
    "null",
    "1e3",
    "[1]",
    "file:///etc/passwd",
]
# Surrogates are in no text from AWS, and NUL cannot be an argument of a program.
TEXTS = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("$%{}`'\"\\\n#:-"), min_size=1
)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS.filter(lambda text: len(text) < 200), inner),
)


def argument(words: list[str], name: str) -> Any:
    """Return the value of an option, as the AWS CLI reads it."""
    if words[0].startswith(f"{name}="):
        assert len(words) == 1
        return words[0].removeprefix(f"{name}=")
    assert words[0] == name
    assert not any(word.startswith("-") for word in words[1:])
    return words[1:]


@given(TEXTS)
def test_a_value_is_one_word_of_the_shell_and_no_option(text: str) -> None:
    """Whatever it contains."""
    words = shlex.split(aws("iam", "get-role", REGION, role_name=text))
    assert words[:5] == ["aws", "iam", "get-role", "--region", REGION]
    assert argument(words[5:], "--role-name") in (text, [text])


@given(st.lists(TEXTS, min_size=1))
def test_each_value_of_a_list_is_one_value(texts: list[str]) -> None:
    """As words if they are plain, else as JSON, which the AWS CLI accepts for every list."""
    found = argument(
        shlex.split(aws("iam", "simulate", REGION, resource_arns=texts, enabled=True))[5:-1], "--resource-arns"
    )
    assert (json.loads(found[0]) if found[0].startswith("[") else found) == texts
    assert found[0].startswith("[") or not any("://" in text for text in texts if text.split("://")[0].isalnum())


def test_bash_reads_every_value_as_it_is(tmp_path: Path) -> None:
    """It runs nothing else."""
    lines = [aws("iam", "get-role", REGION, role_name=text, names=[text, "a"], flag=True, none="") for text in HOSTILE]
    assert all(map(shell.is_valid, lines))
    calls = shell.record("\n".join(lines), tmp_path)
    assert len(calls) == len(HOSTILE)
    for text, call in zip(HOSTILE, calls, strict=True):
        named = call.index("--names")
        assert call[:3] == ["aws", "iam", "get-role"]
        assert call[3:5] == ["--region", REGION]
        assert argument(call[5:named], "--role-name") in (text, [text])
        assert call[named + 1 : -1] in ([text, "a"], [json.dumps([text, "a"])])
        assert call[-1] == "--flag"


def test_an_injection_would_be_noticed(tmp_path: Path) -> None:
    """By a file that is left behind, by an error, or by the recorded calls."""
    for text in ("aws $(echo >pwned)", "aws '", "aws $(id)", "nmap"):
        with pytest.raises(AssertionError):
            assert shell.record(text, tmp_path) == [["aws"]]
        (tmp_path / "empty" / "pwned").unlink(missing_ok=True)
    assert shell.record("aws a; nmap", tmp_path) == [["aws", "a"], ["unexpected", "nmap"]]


@given(TEXTS, VALUES)
@example("a", {"${x}": ["%{x}", "$${x}", '"', "\\${x}"]})
def test_terraform_evaluates_no_text(text: str, value: Any) -> None:
    """Neither as an argument, nor in a policy, nor as the name of a resource."""
    block = terraform.resource("aws_iam_role", [text], path=text, policy=terraform.jsonencode([text, value]))
    ((kind, _, arguments),) = hcl.blocks(block)
    assert (kind, arguments) == ("aws_iam_role", {"path": text, "policy": [text, value]})
    ((_, _, arguments),) = hcl.blocks(terraform.resource("a", ["b"], items=[text], flag=True))
    assert arguments == {"items": [text], "flag": "true"}


@pytest.mark.parametrize(
    "text", ['a = "${x}"', 'a = "%{x}"', 'a = "b" c = "d"', 'a = file("/x")', 'a = "b\n"', "a = b"]
)
def test_what_terraform_would_evaluate_would_be_noticed(text: str) -> None:
    """The reader of the tests accepts only literals."""
    with pytest.raises(AssertionError):
        hcl.blocks(f'resource "a" "b" {{\n  {text}\n}}')


@given(TEXTS, VALUES)
def test_yaml_reads_every_value_as_it_is(text: str, value: Any) -> None:
    """Also in a document, and a comment stays a comment."""
    written = cloudformation.resource("AWS::Lambda::Permission", {"Principal": text, "Policies": [text, value]})
    lines = f"{cloudformation.comment(text)}\n{written}"
    assert yaml.safe_load(lines) == {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"Principal": text, "Policies": [text, value]},
    }
    assert len(lines.split("\n")) == len(lines.splitlines()) == 5


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:s3:::{{resolve:secretsmanager:orders}}",
        {"Ref": "Orders"},
        {"Statement": [{"Condition": {"StringEquals": {"Fn::Sub": "x"}}}]},
        {"Fn::Transform": {"Name": "AWS::Include"}},
    ],
)
def test_there_is_no_remedy_for_a_template_that_would_evaluate_a_value(value: Any) -> None:
    """CloudFormation has no escape for it, and could put a secret into a policy."""
    assert cloudformation.sam(cloudformation.resource("AWS::IAM::Policy", {"PolicyDocument": value})) == ()


@pytest.mark.parametrize("value", ["{{x}} ${x}", '"Ref": x', {"Reference": '"Fn::Sub":'}])
def test_other_texts_have_a_remedy_for_a_template(value: Any) -> None:
    """They only resemble it."""
    assert cloudformation.sam(cloudformation.resource("AWS::IAM::Policy", {"PolicyDocument": value})) != ()


@given(TEXTS)
def test_a_query_compares_with_the_text_as_it_is(text: str) -> None:
    """The AWS CLI evaluates it with JMESPath."""
    functions = [{"Role": text, "Name": "a"}, {"Role": f"{text}b", "Name": "b"}]
    assert jmespath.search(f"[?Role=={_jmespath(text)}].Name", functions) == ["a"]
