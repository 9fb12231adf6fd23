"""The content of a finding's OpsItem, within the limits of OpsCenter."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.ops_item.content import MAX_VALUE, content
from permission_guard.model.findings import Finding, FixRecord, FixResult
from permission_guard.model.state import ManagedBy
from permission_guard.model.verdicts import Remedy, Severity
from tests.paths import FINDINGS


def load(case: str) -> Finding:
    """Return the finding of a case."""
    return Finding.from_document(json.loads((FINDINGS / f"{case}.json").read_text()))


OPENED = load("opened")
PROPOSED = load("fix-proposed")
APPLIED = load("fix-applied")
RESOLVED = load("resolved")
HOSTILE = "<script> [click](https://evil.example) ![x](y) `code` ``` # *b* \x1b\r\n\u202e 🚀 <!channel>"


def test_a_new_ops_item_has_the_problem_the_severity_and_the_fix() -> None:
    """The description has the most important parts; the rest is in the operational data."""
    item = content(OPENED)
    assert item.title == "PG201: orders cannot read its SQS queue"
    assert item.severity == "2"
    assert "**A problem was found.**" in item.description
    assert "[orders](<https://us-east-1.console.aws.amazon.com/lambda/home" in item.description
    assert "high" not in item.description.lower()
    assert OPENED.reason in item.description
    assert f"```\n{OPENED.remedies[0].text}\n```" in item.description
    assert item.data["fix_with_terraform"] == OPENED.remedies[1].text


def test_an_ops_item_can_be_found_by_finding_rule_function_and_status() -> None:
    """OpsCenter searches only values of the type SearchableString."""
    item = content(OPENED)
    found_by = {key: item.data[key] for key in ("finding_id", "rule_id", "function_name", "status")}
    assert found_by == {"finding_id": OPENED.id, "rule_id": "PG201", "function_name": "orders", "status": "open"}
    assert found_by.keys() < item.searchable
    assert "reason" not in item.searchable


def test_an_ops_item_names_its_resources() -> None:
    """OpsCenter shows them as related; the role is included if the finding is about one."""
    assert json.loads(content(OPENED).data["/aws/resources"]) == [
        {"arn": OPENED.function_arn},
        {"arn": "arn:aws:iam::123456789012:role/service-role/orders-role"},
    ]
    assert json.loads(content(load("reopened")).data["/aws/resources"]) == [{"arn": OPENED.function_arn}]


def test_only_a_new_ops_item_has_a_deduplication_string() -> None:
    """AWS does not allow editing it."""
    assert json.loads(content(OPENED).data["/aws/dedup"]) == {"dedupString": OPENED.id}
    assert "/aws/dedup" not in content(APPLIED, {}).data


@pytest.mark.parametrize(
    ("severity", "shown", "priority"),
    [(Severity.CRITICAL, "1", 1), (Severity.HIGH, "2", 2), (Severity.MEDIUM, "3", 3), (Severity.LOW, "4", 4)],
)
def test_each_severity_has_its_number(severity: Severity, shown: str, priority: int) -> None:
    """In OpsCenter, 1 is the most severe."""
    item = content(replace(OPENED, severity=severity))
    assert (item.severity, item.priority) == (shown, priority)


def test_the_history_has_every_transition() -> None:
    """One entry for each revision, oldest first, with what the bot did."""
    first = content(OPENED).data
    second = content(APPLIED, first).data
    again = content(APPLIED, second).data
    third = content(RESOLVED, again).data
    assert [(event["revision"], event["what"]) for event in json.loads(third["history"])] == [
        (1, "Finding Opened"),
        (3, "Fix Applied"),
        (4, "Finding Resolved"),
    ]
    assert json.loads(third["history"])[1]["summary"] == "Attached AWSLambdaSQSQueueExecutionRole to orders-role."
    assert "summary" not in json.loads(third["history"])[0]
    assert third["bot_fix_undo"].startswith("aws iam detach-role-policy")


def test_a_long_history_drops_its_oldest_entries() -> None:
    """A value takes at most 20 KB."""
    data: dict[str, str] = {}
    for revision in range(1, 20):
        fix = FixRecord(name="f", result=FixResult.FAILED, summary="🚀" * 300, at="", attempts=revision)
        data = dict(content(replace(OPENED, revision=revision, fix=fix), data).data)
    revisions = [event["revision"] for event in json.loads(data["history"])]
    assert revisions == list(range(revisions[0], 20))
    assert revisions[0] > 1
    assert len(data["history"].encode()) <= MAX_VALUE


@pytest.mark.parametrize("history", ["not json", '{"a": 1}', '["a", 1]', "[]", "3", "[" * 100_000])
def test_an_invalid_history_is_replaced(history: str) -> None:
    """People can edit operational data; that must not stop the update."""
    data = content(OPENED, {"history": history}).data
    assert [event["revision"] for event in json.loads(data["history"])] == [1]


def test_remedies_of_one_kind_are_joined() -> None:
    """None of them is lost."""
    data = content(replace(OPENED, remedies=(Remedy("aws-cli", "one"), Remedy("aws-cli", "two")))).data
    assert data["fix_with_aws-cli"] == "one\n\ntwo"


def test_a_command_that_is_too_long_is_not_cut() -> None:
    """Half a command does something else."""
    data = content(replace(OPENED, remedies=(Remedy("aws-cli", "x" * 20_001),))).data
    assert data["fix_with_aws-cli"] == (f"Too long for an OpsItem: see permission-guard findings show {OPENED.id}")


@pytest.mark.parametrize(
    "finding",
    [
        OPENED,
        APPLIED,
        RESOLVED,
        replace(
            APPLIED,
            title=HOSTILE,
            reason=HOSTILE,
            impact=HOSTILE,
            subject=HOSTILE,
            function_arn=HOSTILE,
            rule_id="R" * 5_000,
            evidence={HOSTILE: HOSTILE, "role_arn": ["not", "text"]},
            remedies=(Remedy(HOSTILE, HOSTILE),),
        ),
        replace(
            OPENED,
            title="🚀" * 5_000,
            reason="ä" * 5_000,
            impact="`" * 5_000,
            function_arn="f" * 5_000,
            subject="s" * 5_000,
            evidence={"role_arn": "r" * 30_000},
            remedies=(Remedy("k" * 300, "x" * 1_500), Remedy("aws-cli", "`" * 600)),
        ),
        replace(OPENED, title="", reason="", impact="", evidence={}, remedies=(), subject=""),
    ],
)
def test_opscenter_accepts_the_ops_item_of_any_finding(finding: Finding) -> None:
    """Limits and patterns of the API, counted in bytes to be safe."""
    item = content(finding)
    assert 1 <= len(item.title.encode()) <= 1_024
    assert item.title.isprintable()
    assert 1 <= len(item.description.encode()) <= 2_048
    for key, value in item.data.items():
        assert 1 <= len(key) <= 128
        assert key.isprintable()
        assert 1 <= len(value.encode()) <= 20_480
        assert value.strip()
    for key, value in item.tags.items():
        assert re.fullmatch(r"[\w .:/=+\-@]{1,128}", key)
        assert re.fullmatch(r"[\w .:/=+\-@]{0,256}", value)


def test_a_name_cannot_link_or_format() -> None:
    """OpsCenter renders Markdown: a name is shown literally."""
    item = content(replace(OPENED, reason=HOSTILE, subject=HOSTILE, remedies=(Remedy("aws-cli", "a ```` b"),)))
    assert r"\<script\> \[click\](https:&#8203;//evil.example)" in item.description
    assert "- Subject: `<script> [click](https://evil.example) ![x](y) 'code' ''' # *b*" in item.description
    assert "`````\na ```` b\n`````" in item.description


def test_what_the_description_omits_is_in_the_operational_data() -> None:
    """The description refers to it."""
    item = content(replace(OPENED, remedies=(Remedy("aws-cli", "x" * 1_500),)))
    assert item.description.endswith("See the operational data of this OpsItem for more.")
    assert item.data["fix_with_aws-cli"] == "x" * 1_500


def test_the_description_of_a_proposal_has_the_command_that_approves_it() -> None:
    """The details of the plan come after it: not all of them fit."""
    description = content(PROPOSED).description
    assert "permission-guard fixes approve" in description
    assert "What the plan rests on" not in description


def test_the_mark_is_in_the_operational_data() -> None:
    """It says what the finding was at the bot's last write."""
    data = content(RESOLVED).data
    assert Mark.read(data) == Mark.of(RESOLVED)
    assert {"comment", "has_comment"}.isdisjoint(data)


def test_a_comment_is_a_value_that_ends_with_the_next_opening() -> None:
    """OpsCenter keeps a value that is not written again."""
    first = content(OPENED, {}, mark=Mark.of(OPENED, has_comment=True), comment="Closed too early.").data
    assert (first["comment"], first["has_comment"]) == ("Closed too early.", "true")
    kept = content(APPLIED, first, mark=Mark.of(APPLIED, has_comment=True)).data
    assert "comment" not in kept
    over = content(APPLIED, first).data
    assert (over["comment"], over["has_comment"]) == ("There is no comment.", "false")


def test_the_owner_of_the_function_is_in_the_operational_data() -> None:
    """The fix belongs in the owner's template."""
    assert content(replace(OPENED, managed_by=ManagedBy("cloudformation", "shop"))).data["managed_by"] == (
        "cloudformation shop"
    )
    assert content(replace(OPENED, managed_by=ManagedBy("terraform"))).data["managed_by"] == "terraform"
    assert "managed_by" not in content(OPENED).data
