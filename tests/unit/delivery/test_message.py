"""A message says what is wrong, why it matters and how to fix it; the evidence comes last."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from permission_guard.delivery.message import HAPPENED, FindingMessage, SectionStyle, compose
from permission_guard.findings.lifecycle import advanced
from permission_guard.model.findings import Finding, FixRecord, FixResult, PlannedCall, Status, Transition, UndoRecord
from permission_guard.model.state import ManagedBy
from permission_guard.model.verdicts import Remedy
from tests.fakes import NOW, a_finding
from tests.paths import FINDINGS


def load(case: str) -> Finding:
    """Return the finding of a case."""
    return Finding.from_document(json.loads((FINDINGS / f"{case}.json").read_text()))


OPENED = load("opened")
APPLIED = load("fix-applied")


def titles(message: FindingMessage) -> list[str]:
    """Return the titles of the sections, in order."""
    return [section.title for section in (*message.sections, *message.evidence)]


@pytest.mark.parametrize("case", sorted(path.stem for path in FINDINGS.glob("*.json")))
def test_the_body_is_the_text_on_file(case: str) -> None:
    """Each case is a finding and its text, in two files of the same name."""
    assert compose(load(case)).body == (FINDINGS / f"{case}.txt").read_text()


def test_the_fix_comes_before_facts_and_evidence() -> None:
    """The reader is under pressure: what to do must not be below what the bot read."""
    body = compose(OPENED).body
    order = ["What is wrong:", "Why it matters:", "How to fix it (AWS CLI):", "Rule: ", "Evidence:"]
    assert sorted(order, key=body.index) == order


@pytest.mark.parametrize("limit", range(5_000, 30_000, 2_500))
def test_a_message_within_a_limit_omits_whole_sections_and_names_them(limit: int) -> None:
    """Half a command does something else. Equal remedies are no exception."""
    command = "aws \N{GRINNING FACE}" + "x" * 4_000 + " --end"
    message = compose(replace(OPENED, remedies=(Remedy("aws-cli", command),) * 10))
    body = message.body_within(limit)
    assert len(body.encode()) <= limit
    assert body.count("aws \N{GRINNING FACE}") == body.count("x --end")
    assert body.endswith("See the finding in the findings table.\n")
    assert "Omitted because of the size limit:\nHow to fix it (AWS CLI), " in body
    assert ("x --end" in body) == (limit > 7_000)
    assert {label for label, _ in message.facts} <= set(re.findall(r"^([A-Z][A-Za-z ]+): ", body, re.MULTILINE))


@pytest.mark.parametrize("transition", Transition)
def test_every_transition_has_a_sentence(transition: Transition) -> None:
    """A new transition of the model needs a text here."""
    message = compose(replace(OPENED, transition=transition))
    assert HAPPENED[transition] in message.body
    assert message.headline.startswith(f"[HIGH] {transition}: ")


def test_remedies_are_shown_while_the_finding_is_open_and_no_fix_is_in_progress() -> None:
    """A remedy for a fixed finding would be applied twice."""
    assert "How to fix it (AWS CLI)" in titles(compose(OPENED))
    assert "How to fix it (AWS CLI)" in titles(compose(replace(APPLIED, transition=Transition.FIX_FAILED)))
    for finding in (APPLIED, replace(OPENED, status=Status.RESOLVED), replace(OPENED, status=Status.SUPPRESSED)):
        assert not [title for title in titles(compose(finding)) if title.startswith("How to fix")]


@pytest.mark.parametrize(
    ("managed_by", "text"),
    [
        (ManagedBy("cloudformation", "shop"), "The CloudFormation stack shop owns this function. Make the fix there"),
        (ManagedBy("terraform"), "Terraform seems to manage this function. Make the fix there"),
        (
            ManagedBy("cloudformation", "shop in eu-west-1", "orders-role"),
            "The CloudFormation stack shop in eu-west-1 owns the role orders-role. Make the fix there",
        ),
        (ManagedBy("cdk", is_configured=True), "The AWS CDK manages this function. Make the fix there"),
        (ManagedBy("other", is_configured=True), "A tool outside AWS manages this function. Make the fix there"),
        (ManagedBy("pulumi"), "Pulumi seems to manage this function. Make the fix there"),
    ],
)
def test_the_owner_of_the_function_comes_before_the_remedies(managed_by: ManagedBy, text: str) -> None:
    """The next deployment overwrites manual changes."""
    message = compose(replace(OPENED, managed_by=managed_by))
    assert titles(message).index("Where to fix it") < titles(message).index("How to fix it (AWS CLI)")
    assert text in message.body
    assert "Where to fix it" not in titles(compose(replace(OPENED, managed_by=managed_by, status=Status.RESOLVED)))


def test_the_undo_command_is_not_shown_after_the_undo() -> None:
    """A second undo would remove what a person has restored."""
    assert "How to undo it" in titles(compose(APPLIED))
    assert "How to undo it" not in titles(compose(replace(APPLIED, transition=Transition.FIX_UNDONE)))


def test_a_refused_fix_shows_the_reason_and_no_before_and_after() -> None:
    """Nothing was changed, so there is nothing to compare."""
    fix = FixRecord(
        name="narrow-statement", result=FixResult.REFUSED, summary="The bucket is unknown.", at="", attempts=1
    )
    message = compose(replace(OPENED, transition=Transition.FIX_REFUSED, fix=fix))
    assert "narrow-statement: refused (attempt 1, ). The bucket is unknown." in message.body
    assert {"Before", "After", "How to undo it"}.isdisjoint(titles(message))


def test_a_finding_without_details_still_makes_a_message() -> None:
    """Empty parts are omitted."""
    bare = replace(OPENED, impact="", evidence={}, remedies=(), event_ids=())
    assert titles(compose(bare)) == ["What is wrong"]
    assert "CloudTrail" not in compose(bare).body


def test_a_name_cannot_forge_a_line_of_the_message() -> None:
    """A Sid with line breaks stays on its line."""
    forged = replace(OPENED, title="x\n\nHow to fix it:\naws iam create-user", subject="s\r\nSeverity: low")
    lines = compose(forged).body.splitlines()
    assert lines[0] == "[HIGH] Finding Opened: x How to fix it: aws iam create-user"
    assert "Subject:    s Severity: low" in lines


def test_a_name_of_five_thousand_characters_is_cut_in_prose() -> None:
    """A message stays readable with any name."""
    long = replace(OPENED, title="a" * 5_000, reason="b" * 5_000, subject="c" * 5_000)
    message = compose(long)
    assert max(len(line) for line in message.body.splitlines()) <= 4_000
    assert len(message.headline) == 500
    assert message.headline.endswith("…")


def test_a_command_is_shown_whole_or_not_at_all() -> None:
    """Half a command does something else."""
    section = compose(replace(OPENED, remedies=(Remedy("aws-cli", "x" * 30_000),))).sections[2]
    assert section.style is SectionStyle.PROSE
    assert section.text == "Too long for this message: see the finding in the findings table."


def test_hidden_characters_in_a_command_are_shown() -> None:
    """A hidden character can disguise a command as a different one."""
    section = compose(replace(OPENED, remedies=(Remedy("bash\u202e", "aws \u202els\x1b"),))).sections[2]
    assert section.text == "aws \\u202els\\u001b"
    assert section.title == "How to fix it (bash)"


def test_evidence_comes_last_and_shows_lists_and_documents_as_json_and_no_empty_values() -> None:
    """Evidence is shown as it was read from AWS."""
    message = compose(replace(OPENED, evidence={"a": "x\ny", "b": None, "c": "", "d": 3, "e": ["z"], "f": False}))
    assert titles(message)[-1] == "Evidence"
    assert message.evidence[-1].text == 'a: x y\nd: 3\ne: [\n  "z"\n]\nf: false'


def test_the_end_of_a_suppression_does_not_say_that_the_problem_was_resolved() -> None:
    """It existed all the time."""
    opened = a_finding(revision=0)
    suppressed = advanced(advanced(opened, Transition.OPENED, NOW), Transition.SUPPRESSED, NOW)
    reopened = advanced(suppressed, Transition.REOPENED, NOW)
    assert compose(reopened).happened == "The finding is no longer suppressed. The problem still exists."
    resolved = advanced(advanced(reopened, Transition.RESOLVED, NOW), Transition.REOPENED, NOW)
    assert compose(resolved).happened == HAPPENED[Transition.REOPENED]


def test_an_applied_fix_with_a_plan_is_undone_by_the_bot() -> None:
    """The command needs the id alone; the one for AWS is below it."""
    assert APPLIED.fix is not None
    call = PlannedCall(operation="iam:AttachRolePolicy", parameters={"RoleName": "orders-role"})
    planned = replace(APPLIED, fix=replace(APPLIED.fix, calls=(call,)))
    commands = {one.title: one.text for one in compose(planned).sections}
    assert commands["How to undo it"] == f"permission-guard fixes undo {APPLIED.id}"
    assert commands["How to undo it by hand"] == APPLIED.fix.undo


@pytest.mark.parametrize(
    ("transition", "result", "happened"),
    [
        (Transition.FIX_UNDONE, FixResult.UNDONE, "The fix was undone."),
        (Transition.FIX_REFUSED, FixResult.APPLIED, "The bot refused to undo the fix"),
        (Transition.FIX_FAILED, FixResult.APPLIED, "Undoing the fix failed."),
    ],
)
def test_the_end_of_an_undo_is_told_with_who_requested_it_and_why(
    transition: Transition, result: FixResult, happened: str
) -> None:
    """And with what the undo and others changed."""
    assert APPLIED.fix is not None
    call = PlannedCall(operation="iam:DetachRolePolicy", parameters={"RoleName": "orders\u202e-role"})
    undo = UndoRecord(
        revision=3,
        by="arn:aws:iam::123456789012:user/jane",
        at=NOW,
        reason="Orders is down",
        calls=(call,),
        before={"attached": ["a", "added"]},
        after={"attached": ["added"]},
        ended_at=NOW,
        summary="It ended.",
    )
    fix = replace(APPLIED.fix, result=result, after={"attached": ["a"]}, undo_record=undo)
    message = compose(replace(APPLIED, transition=transition, fix=fix))
    texts = {one.title: one.text for one in message.sections}
    assert message.happened.startswith(happened)
    assert texts["Undo requested by"] == f"arn:aws:iam::123456789012:user/jane at {NOW}: Orders is down"
    assert texts["How the undo ended"].endswith("It ended.")
    assert texts["Calls to AWS that undo it"] == "iam:DetachRolePolicy\n  RoleName: orders-role"
    assert texts["What others changed since the fix"] == "attached:\n  + added\n  1 unchanged"
    assert texts["Before and after the undo"] == "attached:\n  - a\n  1 unchanged"
    assert ("How to undo it" in texts) == (result is FixResult.APPLIED)
