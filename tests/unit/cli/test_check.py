"""`permission-guard check` evaluates policies in files: its input, its output and its exit codes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Remedy, Verdict
from permission_guard.reports.check import Checked, Results, print_table
from permission_guard.rules import RULES
from tests.unit.cli.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
BROAD = {
    "Sid": "Broad",
    "Effect": "Allow",
    "Principal": {"Service": "sns.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": ARN,
}
NAMED = {**BROAD, "Sid": "Named", "Condition": {"ArnLike": {"AWS:SourceArn": TOPIC}}}
PARTNER = {**BROAD, "Sid": "Partner", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
MEMBERS = {
    **BROAD,
    "Sid": "Members",
    "Principal": "*",
    "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}},
}


def policy(*statements: Any) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def response(*statements: Any) -> dict[str, Any]:
    """Return a response of GetPolicy or GetResourcePolicy."""
    return {"Policy": json.dumps(policy(*statements)), "RevisionId": "0a1b2c3d"}


# ── Input ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [
        response(BROAD),
        {"Policy": policy(BROAD), "RevisionId": "0a1b2c3d"},
        policy(BROAD),
        {"Version": "2012-10-17", "Statement": BROAD},
        BROAD,
        {"Statement": json.dumps(BROAD)},
        f"""
Version: 2012-10-17
Statement:
  - Sid: Broad
    Effect: Allow
    Principal: {{Service: sns.amazonaws.com}}
    Action: lambda:InvokeFunction
    Resource: {ARN}
""",
    ],
    ids=["get-policy", "policy-as-object", "document", "one-statement", "statement", "add-permission", "yaml"],
)
def test_every_form_of_a_policy_is_recognized_by_its_content(check: Any, content: Any) -> None:
    """The name of the file does not matter."""
    result = check(content)
    assert result.code == 1
    assert result.findings == [("PG102", "Broad")]
    assert result.document["findings"][0]["function_arn"] == ARN


def test_a_policy_without_a_problem_passes(check: Any) -> None:
    """The exit code is 0, without findings and unknown outcomes."""
    result = check(response(NAMED))
    assert (result.code, result.findings, result.unknowns) == (0, [], [])
    assert result.document["counts"]["passed"] > 0


def test_the_remedy_names_the_statement_by_its_content(check: Any) -> None:
    """A command that changes the policy changes only this statement, and fails if it has changed since then."""
    statement = {**BROAD, "Principal": {"Service": ["sns.amazonaws.com", "edgelambda.amazonaws.com"]}}
    result = check(response(statement))
    *_, arn, old, _ = shlex.split(result.document["findings"][0]["remedies"][0]["text"])
    assert (arn, json.loads(old)) == (ARN, [statement])


def test_a_document_of_two_functions_is_evaluated_for_each(check: Any) -> None:
    """Each statement applies to the function that is its resource; a statement without a function applies to both."""
    other = {**BROAD, "Sid": "Other", "Resource": f"{ARN}-b:live"}
    everywhere = {**BROAD, "Sid": "Everywhere", "Resource": "*"}
    result = check(policy(BROAD, other, everywhere))
    found = {(one["function_arn"].rpartition("function:")[2], one["subject"]) for one in result.document["findings"]}
    assert found == {
        ("orders", "statement/Broad"),
        ("orders", "statement/Everywhere"),
        ("orders-b:live", "statement/Other"),
        ("orders-b:live", "statement/Everywhere"),
    }


def test_standard_input_is_a_dash() -> None:
    """As in `aws lambda get-policy --function-name orders | permission-guard check -`."""
    code, output = run("-", stdin=json.dumps(response(BROAD)))
    assert code == 1
    assert "PG102" in output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "neither a policy nor a template"),
        ("[]", "neither a policy nor a template"),
        ("{", "not JSON"),
        ("a: [1", "neither JSON nor YAML"),
        ("a: !Ref\n  ? [b]\n  : c", "neither JSON nor YAML"),
        ({"name": "package"}, "no Policy, Statement or Resources"),
        ({"Policy": {"PolicyName": "own"}}, "not the resource-based policy"),
        ({"Policy": "{"}, "its policy is not JSON"),
        ({"Statement": "{"}, "its policy is not JSON"),
        (policy({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}), "permission-guard evaluate"),
        (
            policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}),
            "trust policy",
        ),
        (policy({**BROAD, "Resource": "arn:aws:s3:::bucket/*"}), "Lambda function as its Resource"),
        (policy(), "Lambda function as its Resource"),
        ({"Statement": 3}, "Lambda function as its Resource"),
        ("a: !Ref", "no Policy, Statement or Resources"),
        ('{"Policy":"' + "é", "not JSON"),
    ],
)
def test_a_file_that_cannot_be_evaluated_is_invalid_usage(tmp_path: Path, content: Any, message: str) -> None:
    """There is no traceback; the message names the file, the problem and what to do."""
    file = tmp_path / "input.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    code, output = run(str(file))
    assert code == 2
    assert str(file) in output
    assert message in " ".join(output.split())
    assert "Traceback" not in output


def test_a_missing_or_binary_file_is_invalid_usage(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "code.zip").write_bytes(b"PK\xff\xfe")
    code, output = run(str(tmp_path / "missing.json"), str(tmp_path / "code.zip"))
    assert code == 2
    assert "missing.json: cannot be read" in output
    assert "code.zip: not UTF-8 text" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rule", "PG999"), "PG102"),
        (("--rule", "PG110"), "needs account access"),
        (("--account", "12"), "twelve digits"),
        (("--trusted-account", "partner"), "twelve digits"),
        (("--trusted-organization", ""), "an ID such as o-exampleorgid"),
        (("--trusted-organization", "nope"), "an ID such as o-exampleorgid"),
        (("--parameter", "Name"), "NAME=VALUE"),
        (("--format", "xml"), "xml"),
    ],
)
def test_an_invalid_option_is_invalid_usage(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    """It is reported before any file is read."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(response(BROAD)))
    code, output = run(str(file), *options)
    assert code == 2
    assert message in output


# ── Exit codes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_findings_decide_the_exit_code_and_all_results_are_printed(tmp_path: Path) -> None:
    """1 with any finding; else 2 for a file that cannot be evaluated; else 3 for an unknown outcome."""
    contents = {
        "broad": response(BROAD),
        "members": response(MEMBERS),
        "named": response(NAMED),
        "other": {"name": "package"},
    }
    paths = {}
    for name, content in contents.items():
        paths[name] = str(tmp_path / f"{name}.json")
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    code, output = run(*paths.values())
    assert code == 1
    assert "other.json" in output
    assert "Broad" in output
    assert "Members" in output
    assert run(paths["named"], paths["other"], paths["members"])[0] == 2
    assert run(paths["named"], paths["members"])[0] == 3
    assert run(paths["named"])[0] == 0


def test_an_invalid_statement_is_unknown(check: Any) -> None:
    """What a statement with an invalid operator allows is unknown."""
    result = check(policy({**BROAD, "Condition": {"StringMatches": {"aws:SourceArn": TOPIC}}}))
    assert result.code == 3
    assert result.unknowns


def test_trusted_accounts_and_organizations_pass(check: Any) -> None:
    """The options correspond to the parameters of the stack."""
    assert check(policy(PARTNER)).findings == [("PG106", "Partner")]
    assert check(policy(PARTNER), "--trusted-account", "111122223333").code == 0
    result = check(policy(MEMBERS))
    assert result.code == 3
    assert "--trusted-organization" in result.unknowns[0][1]
    assert check(policy(MEMBERS), "--trusted-organization", "o-exampleorgid").code == 0


def test_the_own_account_of_a_policy_is_that_of_its_function(check: Any) -> None:
    """The placeholder account for templates is not trusted in a policy of another account."""
    foreign = json.loads(json.dumps(policy(PARTNER)).replace(":123456789012:", ":999999999999:"))
    foreign["Statement"][0]["Principal"]["AWS"] = "123456789012"
    assert check(foreign).findings == [("PG106", "Partner")]


def test_single_rules_can_be_selected(check: Any) -> None:
    """A rule is selected by its id or by its name."""
    assert check(policy(BROAD, PARTNER), "--rule", "pg106").findings == [("PG106", "Partner")]
    both = check(policy(BROAD, PARTNER), "--rule", "untrusted-account", "--rule", "PG102")
    assert {rule for rule, _ in both.findings} == {"PG102", "PG106"}


# ── Output ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_json_output_has_all_results(check: Any) -> None:
    """It contains the verdicts, the counts and the skipped rules."""
    document = check(response(BROAD, MEMBERS)).document
    finding = document["findings"][0]
    assert finding["severity"] == "high"
    assert finding["rule_name"] == "source-missing"
    assert finding["evidence"]["statement"]["Sid"] == "Broad"
    assert [remedy["kind"] for remedy in finding["remedies"]] == ["aws-cli", "sam", "cdk", "terraform"]
    assert document["unknowns"][0]["outcome"] == "unknown"
    assert document["counts"] == {
        "files": 1,
        "findings": 1,
        "unknowns": 1,
        "passed": document["counts"]["passed"],
        "unread": 0,
        "errors": 0,
        "skipped_files": 0,
    }
    skipped = {one["rule_id"]: one["reason"] for one in document["skipped"]}
    of_roles = {rule.id for rule in RULES if rule.direction is Direction.EXECUTION_ROLE}
    in_account = {rule.id for rule in RULES if not rule.offline}
    assert set(skipped) == {"PG110", "PG112", *of_roles, *in_account}
    assert all(skipped[name] == "no execution role in the file" for name in of_roles)
    assert skipped["PG110"] == "need account access: whether the sources exist that the statements name"
    assert all(one["file"].endswith("input") for one in document["skipped"])


def test_the_table_has_each_finding_with_its_reason_and_its_remedy(tmp_path: Path) -> None:
    """The remedy for a deployed policy is a command. Without a terminal, the output has no colours."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(response(BROAD, MEMBERS)))
    _, output = run(str(file))
    for part in (
        "orders",
        "Broad",
        "PG102",
        "high",
        "any account's topic",
        "The statement allows",
        "Remedy (AWS CLI, after a decision)",
    ):
        assert part in output
    assert "# aws lambda add-permission --region us-east-1 --function-name orders" in output
    assert "Unknown" in output
    assert "Members" in output
    assert run(str(file), "--rule", "PG102")[1].endswith("in 1 file.\n")
    assert "Skipped (need account access): PG110 source-deleted" in " ".join(output.split())
    assert "\x1b[" not in output


def test_text_of_a_file_is_not_read_as_markup(tmp_path: Path) -> None:
    """A Sid is printed unchanged: styles and names of emojis are a part of it."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy({**BROAD, "Sid": "[bold]x:bell:[/red]"})))
    assert "[bold]x:bell:[/red]" in run(str(file))[1]


def test_a_remedy_is_printed_as_it_is_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a backslash continues a command on the next line."""
    text = "aws lambda add-permission \\\n  --source-arn 'arn:aws:events:us-east-1:123456789012:rule/a[b]:bell:'\\"
    remedies = (Remedy("aws-cli", text),)
    verdict = Verdict(
        rule_id="PG102",
        function_arn=ARN,
        subject="statement/Broad",
        outcome=Outcome.VIOLATION,
        reason="It is broad.",
    )
    rule = next(one for one in RULES if one.id == "PG102")
    checked = Checked("policy.json", "orders", "Broad", rule, verdict, remedies, in_template=False)
    print_table(Results(findings=[checked], files=1))
    assert "".join(f"  {line}\n" for line in text.split("\n")) in capsys.readouterr().out


# ── Imports ─────────────────────────────────────────────────────────────────────────────────────────────────────────

HEAVY = ("samtranslator", "boto3", "botocore", "yaml")


def loaded_by(program: str) -> list[str]:
    """Return the heavy modules that a program has loaded."""
    code = f"import sys\n{program}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')))


def test_the_command_line_starts_without_optional_modules() -> None:
    """It imports neither SAM's translator nor PyYAML nor boto3."""
    assert loaded_by("import permission_guard.cli.app") == []


def test_a_policy_is_evaluated_without_boto3(tmp_path: Path) -> None:
    """It needs no credentials, no account and no network."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(response(NAMED)))
    program = (
        "from permission_guard.cli.app import app\n"
        f"try:\n    app(['check', {str(file)!r}])\nexcept SystemExit as end:\n    assert end.code == 0, end.code"
    )
    assert loaded_by(program) == []
