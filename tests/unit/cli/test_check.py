"""`permission-guard check` judges policies in files: what it takes, what it prints, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

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
HELD = {**BROAD, "Sid": "Held", "Condition": {"ArnLike": {"AWS:SourceArn": TOPIC}}}
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


def reply(*statements: Any) -> dict[str, Any]:
    """Return what GetPolicy and GetResourcePolicy reply."""
    return {"Policy": json.dumps(policy(*statements)), "RevisionId": "0a1b2c3d"}


# ── What it takes ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [
        reply(BROAD),
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
def test_every_form_of_a_policy_is_recognised_by_what_is_in_it(check: Any, content: Any) -> None:
    """The name of the file says nothing."""
    said = check(content)
    assert said.code == 1
    assert said.findings == [("PG102", "Broad")]
    assert said.document["findings"][0]["function_arn"] == ARN


def test_a_policy_that_is_all_right_passes(check: Any) -> None:
    """Exit code 0, and nothing to read."""
    said = check(reply(HELD))
    assert (said.code, said.findings, said.unknowns) == (0, [], [])
    assert said.document["counts"]["passed"] > 0


def test_the_revision_is_kept_for_the_cure(check: Any) -> None:
    """A command that replaces the whole policy does so only if nobody has changed it since."""
    said = check(reply({**BROAD, "Principal": {"Service": ["sns.amazonaws.com", "edgelambda.amazonaws.com"]}}))
    assert "--revision-id 0a1b2c3d" in said.document["findings"][0]["remedies"][0]["text"]


def test_a_document_of_two_functions_is_judged_for_each(check: Any) -> None:
    """Each statement counts for the function that is its resource; one without counts for both."""
    other = {**BROAD, "Sid": "Other", "Resource": f"{ARN}-b:live"}
    everywhere = {**BROAD, "Sid": "Everywhere", "Resource": "*"}
    said = check(policy(BROAD, other, everywhere))
    found = {(one["function_arn"].rpartition("function:")[2], one["subject"]) for one in said.document["findings"]}
    assert found == {
        ("orders", "statement/Broad"),
        ("orders", "statement/Everywhere"),
        ("orders-b:live", "statement/Other"),
        ("orders-b:live", "statement/Everywhere"),
    }


def test_standard_input_is_a_dash() -> None:
    """As in `aws lambda get-policy --function-name orders | permission-guard check -`."""
    code, output = run("-", stdin=json.dumps(reply(BROAD)))
    assert code == 1
    assert "PG102" in output


@pytest.mark.parametrize(
    ("content", "logged"),
    [
        ("", "neither a policy nor a template"),
        ("[]", "neither a policy nor a template"),
        ("{", "not JSON"),
        ("a: [1", "neither JSON nor YAML"),
        ("a: !Ref\n  ? [b]\n  : c", "neither JSON nor YAML"),
        ({"name": "package"}, "neither a policy, nor a reply"),
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
        ("[" * 100_000, "nested too deeply"),
        ("a: " + "[" * 100_000, "neither JSON nor YAML"),
        ("a: !Ref", "neither a policy, nor a reply"),
        (
            '{"Resources": {"A": {"Type": "AWS::Lambda::Permission", "Properties": '
            + '{"Fn::Join": ["", [' * 300
            + "]]}" * 300
            + "}}}",
            "nested too deeply",
        ),
        ('{"Policy":"' + "é", "not JSON"),
    ],
)
def test_what_cannot_be_judged_is_wrong_usage_with_one_sentence(tmp_path: Path, content: Any, logged: str) -> None:
    """No traceback; the sentence names the file and the cure."""
    file = tmp_path / "input.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    code, output = run(str(file))
    assert code == 2
    assert str(file) in output
    assert logged in " ".join(output.split())
    assert "Traceback" not in output


def test_a_file_that_is_not_there_or_no_text_is_wrong_usage(tmp_path: Path) -> None:
    """It is named."""
    (tmp_path / "code.zip").write_bytes(b"PK\xff\xfe")
    code, output = run(str(tmp_path / "missing.json"), str(tmp_path / "code.zip"))
    assert code == 2
    assert "missing.json: it cannot be read" in output
    assert "code.zip: it is not text in UTF-8" in output


@pytest.mark.parametrize(
    ("options", "logged"),
    [
        (("--rule", "PG999"), "PG102"),
        (("--rule", "PG110"), "asks an account"),
        (("--account", "12"), "twelve digits"),
        (("--trusted-account", "partner"), "twelve digits"),
        (("--parameter", "Name"), "NAME=VALUE"),
        (("--format", "xml"), "xml"),
    ],
)
def test_an_option_that_cannot_be_meant_is_wrong_usage(tmp_path: Path, options: tuple[str, ...], logged: str) -> None:
    """Before any file is read."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(reply(BROAD)))
    code, output = run(str(file), *options)
    assert code == 2
    assert logged in output


# ── How it exits ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_outweighs_everything_and_nothing_hides_another(tmp_path: Path) -> None:
    """1 for findings, whatever else there is; else 2 for a file that cannot be judged; else 3 for the uncertain."""
    contents = {"broad": reply(BROAD), "members": reply(MEMBERS), "held": reply(HELD), "other": {"name": "package"}}
    paths = {}
    for name, content in contents.items():
        paths[name] = str(tmp_path / f"{name}.json")
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    code, output = run(*paths.values())
    assert code == 1
    assert "other.json" in output
    assert "Broad" in output
    assert "Members" in output
    assert run(paths["held"], paths["other"], paths["members"])[0] == 2
    assert run(paths["held"], paths["members"])[0] == 3
    assert run(paths["held"])[0] == 0


def test_what_cannot_be_read_in_a_policy_is_not_certain(check: Any) -> None:
    """A statement that AWS would refuse may say anything."""
    said = check(policy({**BROAD, "Condition": {"StringMatches": {"aws:SourceArn": TOPIC}}}))
    assert said.code == 3
    assert said.unknowns


def test_trusted_accounts_and_organizations_pass(check: Any) -> None:
    """They are given by options, as the bot's are by parameters."""
    assert check(policy(PARTNER)).findings == [("PG106", "Partner")]
    assert check(policy(PARTNER), "--trusted-account", "111122223333").code == 0
    said = check(policy(MEMBERS))
    assert said.code == 3
    assert "--trusted-organization" in said.unknowns[0][1]
    assert check(policy(MEMBERS), "--trusted-organization", "o-exampleorgid").code == 0


def test_the_account_of_a_policy_is_its_functions_own(check: Any) -> None:
    """The placeholder for templates is not trusted in files that name another account."""
    foreign = json.loads(json.dumps(policy(PARTNER)).replace(":123456789012:", ":999999999999:"))
    foreign["Statement"][0]["Principal"]["AWS"] = "123456789012"
    assert check(foreign).findings == [("PG106", "Partner")]


def test_single_rules_can_be_asked(check: Any) -> None:
    """By id or by name."""
    assert check(policy(BROAD, PARTNER), "--rule", "pg106").findings == [("PG106", "Partner")]
    both = check(policy(BROAD, PARTNER), "--rule", "untrusted-account", "--rule", "PG102")
    assert {rule for rule, _ in both.findings} == {"PG102", "PG106"}


# ── What it prints ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_is_for_programs(check: Any) -> None:
    """Verdicts, counts, and what was not asked."""
    document = check(reply(BROAD, MEMBERS)).document
    finding = document["findings"][0]
    assert finding["severity"] == "high"
    assert finding["rule_name"] == "source-missing"
    assert finding["evidence"]["statement"]["Sid"] == "Broad"
    assert [remedy["kind"] for remedy in finding["remedies"]] == ["aws-cli", "sam", "terraform"]
    assert document["unknowns"][0]["outcome"] == "unknown"
    assert document["counts"] == {
        "files": 1,
        "findings": 1,
        "unknowns": 1,
        "passed": document["counts"]["passed"],
        "errors": 0,
    }
    assert [one["rule_id"] for one in document["not_asked"]] == [rule.id for rule in RULES if not rule.offline]


def test_the_table_has_each_finding_with_its_reason_and_its_cure(tmp_path: Path) -> None:
    """The command for a policy that is deployed; nothing coloured where it is no terminal."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(reply(BROAD, MEMBERS)))
    _, output = run(str(file))
    for part in ("orders", "Broad", "PG102", "high", "Anyone's topic can have", "The statement lets", "Cure (AWS CLI)"):
        assert part in output
    assert "aws lambda add-permission --function-name orders" in output
    assert "Not certain" in output
    assert "Members" in output
    assert run(str(file), "--rule", "PG102")[1].endswith("in 1 file.\n")
    assert "Not asked, because they need an account: PG110 source-deleted" in " ".join(output.split())
    assert "\x1b[" not in output


def test_text_of_a_file_is_no_markup(tmp_path: Path) -> None:
    """A Sid is printed as it is."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy({**BROAD, "Sid": "[bold]x[/red]"})))
    assert "[bold]x[/red]" in run(str(file))[1]


# ── What it loads ───────────────────────────────────────────────────────────────────────────────────────────────────

HEAVY = ("samtranslator", "boto3", "botocore", "yaml")


def loaded_by(program: str) -> list[str]:
    """Return which heavy modules a program has loaded."""
    shown = f"import sys\n{program}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')))


def test_the_program_starts_without_what_only_some_files_need() -> None:
    """Neither SAM's translator nor YAML nor boto3."""
    assert loaded_by("import permission_guard.cli.app") == []


def test_a_policy_is_judged_without_boto3(tmp_path: Path) -> None:
    """No credentials, no account, no network."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(reply(HELD)))
    program = (
        "from permission_guard.cli.app import app\n"
        f"try:\n    app(['check', {str(file)!r}])\nexcept SystemExit as end:\n    assert end.code == 0, end.code"
    )
    assert loaded_by(program) == []
