"""`permission-guard check` reads folders, patterns and standard input; a bad file never loses the others."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from permission_guard.cli import check as command
from permission_guard.errors import InputError
from permission_guard.offline import bounds
from permission_guard.offline.input_file import read
from permission_guard.offline.scenarios import evaluate_check
from tests.unit.cli.conftest import Result, run
from tests.unit.cli.test_check import BROAD, NAMED, policy, response

TEMPLATE = """
Resources:
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: orders, Principal: sns.amazonaws.com}
"""


def check_all(*arguments: Any, stdin: str | None = None) -> Result:
    """Check the arguments, and return all results."""
    code, output = run(*map(str, arguments), "--format", "json", stdin=stdin)
    return Result(code, json.loads(output))


def write(folder: Path, **files: Any) -> Path:
    """Write files of a folder: `a__b_json` is the file `a/b.json`."""
    for name, content in files.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


# ── One bad file ────────────────────────────────────────────────────────────────────────────────────────────────────

DEEP = "a: " + "[" * 101 + "]" * 101
ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 11)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}\n" for level in range(1, 11)
)
LOOP: dict[str, Any] = {"".join(f"x${{{name}}}" for name in "ABCDE"): {"Type": "AWS::SNS::Topic"}}
for one in "ABCDE":
    LOOP = {f"Fn::ForEach::{one}": [one, list(range(100)), LOOP]}
LOOPS = json.dumps({"Transform": "AWS::LanguageExtensions", "Resources": LOOP})
BEYOND = {
    "larger than 5 MB": "Resources: {}\n#" + "x" * 5_000_000,
    "more than 200,000 values": ALIASES,
    "more than 200,000 values ": MERGES,
    "more than 200,000 values  ": json.dumps([0] * 200_000),
    "more than 200,000 values   ": LOOPS,
    "nested too deeply": DEEP,
    "nested too deeply ": "[" * 100_000,
    "nested too deeply  ": json.dumps(json.loads("[" * 101 + "]" * 101)),
    "nested too deeply   ": "a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a" + "]" * 60,
}


@pytest.mark.parametrize("problem", BEYOND)
def test_a_file_over_a_bound_is_unread_and_named(tmp_path: Path, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 3, and the other files are reported. Aliases count as what they stand for.

    The time bound is off: aliases, merges and loops of 10,000,000,000 values and more end because they are counted.
    """
    monkeypatch.setattr(command, "time_bound", nullcontext)
    write(tmp_path, good_json=response(NAMED), bad_yaml=BEYOND[problem])
    result = check_all(tmp_path / "bad.yaml", tmp_path / "good.json")
    assert (result.code, result.document["counts"]["files"]) == (3, 1)
    (unread,) = result.document["unread"]
    assert unread["file"] == str(tmp_path / "bad.yaml")
    assert problem.strip() in unread["reason"]


def test_a_file_at_the_bounds_is_read(tmp_path: Path) -> None:
    """Aliases that expand to fewer values than the bound are read."""
    few = TEMPLATE + "Metadata:\n  a: &a [x, x, x]\n  b: [*a, *a]\n  c: " + "[" * 90 + "]" * 90
    write(tmp_path, some_yaml=few, many_json={**response(NAMED), "More": [0] * 199_000})
    assert [rule for rule, _ in check_all(tmp_path / "some.yaml").findings] == ["PG102"]
    assert check_all(tmp_path / "many.json").code == 0


def test_an_alias_of_what_contains_it_is_no_document(tmp_path: Path) -> None:
    """CloudFormation has no such values, and nothing could read one to its end."""
    write(tmp_path, bad_yaml="a: &a [*a]")
    result = check_all(tmp_path / "bad.yaml")
    assert result.code == 2
    assert "an alias refers to a value that contains it" in result.document["errors"][0]["message"]


def test_a_file_that_takes_too_long_is_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time counts for a file, from its reading to its last rule."""
    write(tmp_path, slow_json=response(NAMED), good_json=response(BROAD))
    monkeypatch.setattr(command, "time_bound", lambda: bounds.time_bound(0.05))

    def slowly(check: Any, rules: Any) -> Any:
        while "Named" in str(check):
            pass
        yield from evaluate_check(check, rules)

    monkeypatch.setattr(command, "evaluate_check", slowly)
    before = signal.getsignal(signal.SIGPROF)
    result = check_all(tmp_path / "slow.json", tmp_path / "good.json")
    assert result.code == 1
    assert [(one["file"], one["reason"]) for one in result.document["unread"]] == [
        (str(tmp_path / "slow.json"), "it takes more than 10 seconds of processor time")
    ]
    assert signal.getsignal(signal.SIGPROF) == before


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), RecursionError(), AssertionError("y")])
@pytest.mark.parametrize("stage", ["read", "contents", "evaluate_check"])
def test_an_error_of_ours_on_one_file_loses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    """The file is unread, whatever is wrong and wherever it happens."""
    write(tmp_path, bad_json=response(NAMED), good_json=response(BROAD))
    original, calls = getattr(command, stage), []

    def broken(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return original(*arguments)

    monkeypatch.setattr(command, stage, broken)
    result = check_all(tmp_path / "bad.json", tmp_path / "good.json")
    assert (result.code, result.findings) == (1, [("PG102", "Broad")])
    assert [one["file"] for one in result.document["unread"]] == [str(tmp_path / "bad.json")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"Fn::Sub": "{{resolve:ssm:/${Stage}/arn}}"}, 3),
        ({"Fn::Join": ["", ["{{resolve:ssm:/", {"Ref": "Stage"}, "/arn}}"]]}, 3),
        ({"Fn::Sub": ["{{resolve:ssm:${Name}}}", {"Name": {"Fn::ImportValue": {"Fn::Sub": "${Stage}-name"}}}]}, 3),
        ({"Fn::Sub": "arn:aws:sns:us-east-1:123456789012:{{resolve:secretsmanager:${Stage}:SecretString:x}}"}, 0),
        ({"Fn::GetAtt": ["Topic", {"Ref": "Stage"}]}, 3),
        ({"Fn::GetAtt": [{"Fn::Sub": "${Stage}Topic"}, "Arn"]}, 3),
        ("\ue000Stage\ue001", 1),
        ({"Fn::Sub": "\ue000${Stage}\ue001"}, 1),
    ],
)
def test_a_dynamic_reference_around_an_unresolved_value_is_unresolved(check: Any, value: Any, code: int) -> None:
    """It is one unknown value. The characters that mark unresolved values are text in a file."""
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": "orders", "Principal": "sns.amazonaws.com"}
    resource = {"Type": "AWS::Lambda::Permission", "Properties": {**permission, "SourceArn": value}}
    result = check({"Parameters": {"Stage": {"Type": "String"}}, "Resources": {"Permission": resource}})
    assert (result.code, result.document["unread"]) == (code, [])
    assert all("\ue000" not in reason for _, reason in result.unknowns)


# ── Folders, patterns, standard input ───────────────────────────────────────────────────────────────────────────────


def test_a_folder_is_searched_and_what_is_no_template_is_skipped(tmp_path: Path) -> None:
    """Skipped files are named in one line and do not change the exit code. Hidden folders are not entered."""
    write(
        tmp_path,
        stacks__api_yaml=TEMPLATE,
        stacks__deep__named_json=response(NAMED),
        package_json={"name": "package"},
        pods_yaml="a: 1\n---\nb: 2\n",
        chart_yaml="name: {{ .Values.name }}\nx: [",
        empty_yaml="",
        large_json=json.dumps([0] * 200_000),
        identity_json=policy({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}),
        readme_md=TEMPLATE,
        node_modules__left_json=response(BROAD),
    )
    write(tmp_path / ".aws-sam", template_yaml=TEMPLATE)
    result = check_all(tmp_path)
    assert result.code == 1
    assert {one["file"] for one in result.document["findings"]} == {str(tmp_path / "stacks" / "api.yaml")}
    assert result.document["counts"]["files"] == 2
    skipped = sorted(one["file"].removeprefix(f"{tmp_path}/") for one in result.document["skipped_files"])
    assert skipped == ["chart.yaml", "empty.yaml", "identity.json", "large.json", "package.json", "pods.yaml"]
    _, output = run(str(tmp_path))
    (line,) = [line for line in output.splitlines() if line.startswith("Skipped (neither")]
    assert "pods.yaml" in line
    assert "package.json" in line


@pytest.mark.parametrize(
    "content",
    [
        TEMPLATE + "  Bad: [",
        "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: 'AWS::Serverless::Function'}}",
        "Resources: {P: {Type: 'AWS::Lambda::Permission', Properties: {FunctionName: !Ref Missing}}}",
        "# AWS::Lambda::Function\n" + "x" * 5_000_000,
    ],
)
def test_a_template_of_a_folder_that_is_not_valid_is_not_skipped(tmp_path: Path, content: str) -> None:
    """It was not checked: the exit code is 3. A named file that is not valid is exit code 2."""
    write(tmp_path, stacks__bad_yaml=content, stacks__named_json=response(NAMED))
    result = check_all(tmp_path / "stacks")
    assert (result.code, result.document["skipped_files"]) == (3, [])
    assert {one["file"] for one in result.document["unread"]} == {str(tmp_path / "stacks" / "bad.yaml")}
    if len(content) < 5_000_000:
        assert check_all(tmp_path / "stacks" / "bad.yaml").code == 2


@pytest.mark.parametrize(
    ("pattern", "files"),
    [("*.yaml", 1), ("**/*.yaml", 2), ("a/?.yaml", 1), ("[ab]", 2), ("a", 1), ("*", 3)],
)
def test_a_pattern_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, files: int) -> None:
    """A shell does not expand a quoted pattern, nor does every shell expand one. What is no template is skipped."""
    write(tmp_path, a__b_yaml=TEMPLATE, top_yaml=TEMPLATE, b__policy_json=response(NAMED), notes_txt="none")
    monkeypatch.chdir(tmp_path)
    assert check_all(pattern).document["counts"]["files"] == files


def test_each_file_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is named and is also in a folder is a named file."""
    write(tmp_path, a__b_yaml=TEMPLATE, a__package_json={})
    monkeypatch.chdir(tmp_path)
    result = check_all("a", tmp_path / "a" / "b.yaml", "a/*.yaml", "a/package.json")
    assert [one["file"] for one in result.document["errors"]] == ["a/package.json"]
    assert len(result.findings) == 1


@pytest.mark.parametrize("argument", ["empty", "*.yaml", "others", "missing.yaml", "missing"])
def test_nothing_to_check_is_invalid_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    """A run that read nothing does not look like one that found nothing."""
    (tmp_path / "empty").mkdir()
    write(tmp_path, others__package_json={"name": "package"})
    monkeypatch.chdir(tmp_path)
    code, output = run(argument)
    assert code == 2
    assert "1 error" in output
    write(tmp_path, good_json=response(NAMED))
    assert run(argument, "good.json")[0] == (0 if argument == "others" else 2)


def test_standard_input_can_stand_beside_files(tmp_path: Path) -> None:
    """It can be a template. Empty input, as from a command that failed, is invalid usage."""
    write(tmp_path, good_json=response(NAMED))
    assert check_all("-", tmp_path / "good.json", "-", stdin=TEMPLATE).findings == [("PG102", "Permission")]
    result = check_all("-", stdin="")
    assert (result.code, result.document["errors"][0]["file"]) == (2, "-")


def test_standard_input_may_be_slow_or_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for another command is not the file's time."""
    monkeypatch.setattr(command, "time_bound", lambda: bounds.time_bound(0.3))
    os.mkfifo(tmp_path / "pipe")
    slow = threading.Timer(0.5, lambda: (tmp_path / "pipe").write_text(TEMPLATE))
    slow.start()
    assert check_all(tmp_path / "pipe").findings == [("PG102", "Permission")]
    slow.join()
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        read(Path("-"))


def test_text_in_utf_16_is_read(tmp_path: Path) -> None:
    """PowerShell writes it when it redirects the output of a command."""
    (tmp_path / "policy.json").write_bytes(json.dumps(response(BROAD)).encode("utf-16"))
    assert check_all(tmp_path / "policy.json").findings == [("PG102", "Broad")]


def test_a_name_that_is_not_utf_8_is_printed(tmp_path: Path) -> None:
    """A file of a folder can have any name."""
    (tmp_path / os.fsdecode(b"a\xff.json")).write_text(json.dumps(response(BROAD)))
    assert run(str(tmp_path))[0] == 1
    assert check_all(tmp_path).code == 1


def test_the_summary_has_all_counts(tmp_path: Path) -> None:
    """An unread or invalid file is not hidden behind findings."""
    write(tmp_path, broad_json=response(BROAD), bad_yaml=DEEP, other_json={}, folder__package_json={})
    code, output = run(*map(str, sorted(tmp_path.iterdir())))
    assert code == 1
    passed = check_all(tmp_path / "broad.json").document["counts"]["passed"]
    expected = f"1 finding, 0 unknown, {passed} passed, 1 not read, 1 error, 1 file skipped in 1 file."
    assert expected in output


# ── Forms of input ──────────────────────────────────────────────────────────────────────────────────────────────────

PERMISSION = {
    "Type": "AWS::Lambda::Permission",
    "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": "orders", "Principal": "sns.amazonaws.com"},
}
BODY = {"Resources": {"Broad": PERMISSION}}
ADD_PERMISSION = {
    "FunctionName": "orders",
    "StatementId": "Broad",
    "Action": "lambda:InvokeFunction",
    "Principal": "sns.amazonaws.com",
}


@pytest.mark.parametrize(
    "content",
    [
        {"TemplateBody": BODY, "StagesAvailable": ["Original", "Processed"]},
        {"TemplateBody": json.dumps(BODY), "StagesAvailable": ["Original"]},
        {"TemplateBody": TEMPLATE.replace("  Permission:", "  Broad:")},
        json.dumps(json.dumps(BODY)),
        json.dumps(json.dumps(policy(BROAD))),
        {**policy(BROAD), "Id": "default", "RevisionId": "0a1b2c3d"},
        {**policy(BROAD), "ResponseMetadata": {"HTTPStatusCode": 200}},
        {"Statement": json.dumps(BROAD), "RevisionId": "0a1b2c3d"},
        [BROAD],
        {**{name: value for name, value in BROAD.items() if name != "Sid"}, "StatementId": "Broad"},
        {
            "StatementId": "Broad",
            "Effect": "Allow",
            "Principal": "sns.amazonaws.com",
            "Action": "lambda:InvokeFunction",
            "Resource": BROAD["Resource"],
            "Conditions": {},
        },
        policy({**{name: value for name, value in BROAD.items() if name != "Sid"}, "StatementId": "Broad"}),
        ADD_PERMISSION,
        {**ADD_PERMISSION, "RevisionId": "0a1b2c3d", "FunctionName": BROAD["Resource"]},
    ],
)
def test_what_aws_prints_is_read(check: Any, content: Any) -> None:
    """Responses of GetTemplate, policies with members of a response, and statements as the console shows them."""
    result = check(content)
    assert (result.code, result.findings, result.unknowns) == (1, [("PG102", "Broad")], [])


def test_the_parameters_of_add_permission_are_read_with_their_conditions(check: Any) -> None:
    """As in `aws lambda add-permission --cli-input-json`."""
    source = {"SourceArn": "arn:aws:sns:us-east-1:123456789012:orders", "Qualifier": "live"}
    assert check({**ADD_PERMISSION, **source}).code == 0
    result = check({**ADD_PERMISSION, "Principal": "111122223333", "Qualifier": "live"})
    assert result.findings == [("PG106", "Broad")]
    assert result.document["findings"][0]["function_arn"].endswith(":function:orders:live")
    assert check({**ADD_PERMISSION, "FunctionName": "arn:aws:sns:us-east-1:123456789012:a b"}).code == 2


@pytest.mark.parametrize("content", [{"TemplateBody": 3}, {"TemplateBody": "{"}, {"TemplateBody": "text"}, '"text"'])
def test_a_response_without_a_template_is_not_valid(check: Any, content: Any) -> None:
    """The message says so."""
    assert check(content).code == 2


# ── Options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--region", "nowhere"), "--region requires a region such as us-east-1; got 'nowhere'"),
        (("--region", "us-nowhere-9"), "--region requires a region such as us-east-1; got 'us-nowhere-9'"),
        (("--region", ""), "--region requires a region such as us-east-1; got ''"),
        (("--region", "us-east-1 "), "--region requires"),
        (("--partition", "aws-mars"), "--partition requires one of aws, aws-cn, aws-us-gov"),
        (("--region", "cn-north-1", "--partition", "aws"), "the region cn-north-1 is in the partition aws-cn"),
        (("--parameter", "=x"), "--parameter requires NAME=VALUE"),
        (("--parameter", "A=1", "--parameter", "A=2"), "--parameter A is given with two values: '1' and '2'"),
        (("--parameter", "unknown=x"), "--parameter unknown: no template has this parameter. No file has parameters."),
    ],
)
def test_an_invalid_option_is_one_line(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    """The exit code is 2, without a traceback."""
    write(tmp_path, named_json=response(NAMED))
    code, output = run(str(tmp_path / "named.json"), *options)
    assert code == 2
    assert any(message in line for line in output.splitlines())


def test_a_parameter_must_be_one_of_a_template(tmp_path: Path) -> None:
    """A misspelt parameter would be ignored. It is enough that one template has it."""
    with_stage = "Parameters: {Stage: {Type: String, AllowedValues: [prod, true]}, Ids: {Type: CommaDelimitedList}}\n"
    write(tmp_path, a_yaml=with_stage + TEMPLATE.replace("sns.", "sqs."), b_json=response(NAMED))
    files = (str(tmp_path / "a.yaml"), str(tmp_path / "b.json"))
    code, output = run(*files, "--parameter", "Stge=prod", "--rule", "PG101")
    assert (code, "The parameters are: Ids, Stage." in output) == (2, True)
    assert run(*files, "--parameter", "Stage=prod", "--parameter", "Ids=a,b", "--rule", "PG101")[0] == 0
    assert run(*files, "--parameter", "Stage=true", "--rule", "PG101")[0] == 0
    code, output = run(*files, "--parameter", "Stage=dev", "--rule", "PG101")
    assert (code, "--parameter Stage=dev: the template allows only prod, true" in output) == (2, True)
