"""A message says what happened, who did it, why it matters and how to fix it; the evidence comes last."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.delivery.message import Fact, Link, Message, SectionStyle, Time
from permission_guard.delivery.states import HAPPENED
from permission_guard.delivery.text import parsed_time
from permission_guard.findings.lifecycle import advanced
from permission_guard.model.findings import FixRecord, FixResult, PlannedCall, Status, Transition, UndoRecord
from permission_guard.model.state import ManagedBy
from permission_guard.model.verdicts import Remedy, Severity
from tests.fakes import NOW, a_finding
from tests.unit.delivery.examples import APPLIED, EXAMPLES, HOSTILE_FINDING, HUGE_FINDING, OPENED, RESOLVED

OTHER = replace(
    OPENED,
    id="2e6dcd1df6c06371068773023cd9c84b",
    rule_id="PG204",
    rule_name="logging-missing",
    severity=Severity.CRITICAL,
    title="orders cannot write its logs",
    impact="Its errors are invisible.",
    reason="No policy allows it.",
    remedies=(Remedy("aws-cli", "aws logs x"),),
    evidence={"log_group": "/aws/lambda/orders"},
)


def titles(message: Message) -> list[str]:
    """Return the titles of the sections, in order."""
    return [section.title for section in (*message.sections, *message.evidence)]


def fact(message: Message, label: str) -> tuple[str | Link | Time, ...]:
    """Return the parts of a fact, none if the message does not have it."""
    return next((one.parts for one in (*message.facts, *message.references) if one.label == label), ())


def test_the_order_is_that_of_a_reader_under_pressure() -> None:
    """What, who, when, why, the remedy, what identifies the finding, and the evidence last."""
    shown = text(compose(OPENED))
    order = ["Opened: ", "Function: ", "Changed by: ", "Time: ", "CloudTrail: ", "Why it matters:"]
    order += ["How to fix it (AWS CLI):", "Rule: ", "Rule page: ", "Finding id: ", "What is wrong:", "Evidence:"]
    assert sorted(order, key=shown.index) == order


@pytest.mark.parametrize("case", EXAMPLES)
def test_the_headline_alone_has_the_severity(case: str) -> None:
    """A format shows it once, whatever it does with the rest."""
    finding = replace(EXAMPLES[case], severity=Severity.CRITICAL)
    message = compose(finding)
    assert message.headline.startswith("[CRITICAL] ") == (message.severity is not None)
    assert "critical" not in text(message).lower()


@pytest.mark.parametrize("transition", Transition)
@pytest.mark.parametrize("status", Status)
def test_the_severity_is_on_what_needs_attention(transition: Transition, status: Status) -> None:
    """Not on what is resolved, suppressed, or fixed and verified. An undone fix leaves the problem."""
    message = compose(replace(OPENED, transition=transition, status=status))
    needs = status is Status.OPEN and transition is not Transition.FIX_APPLIED
    assert message.severity == (Severity.HIGH if needs else None)
    assert message.headline.startswith("[HIGH] ") == needs


def test_the_function_is_a_link_next_to_its_account_and_region() -> None:
    """Whoever follows it must be signed in to the account."""
    assert fact(compose(OPENED), "Function") == (
        Link("orders", "https://us-east-1.console.aws.amazon.com/lambda/home?region=us-east-1#/functions/orders"),
        " in account ",
        "123456789012, us-east-1",
    )


def test_a_finding_about_a_role_names_the_role_and_the_functions_that_use_it() -> None:
    """The role is a link, and only the first functions are named."""
    arns = tuple(f"arn:aws:lambda:us-east-1:123456789012:function:f{number}" for number in range(12))
    role = replace(
        OPENED,
        function_arn="",
        role_arn="arn:aws:iam::123456789012:role/path/worker",
        functions=arns,
        function_count=40,
    )
    message = compose(role)
    assert fact(message, "Role")[0] == Link(
        "worker", "https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/roles/details/worker"
    )
    (functions,) = fact(message, "Functions")
    assert functions == "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, 30 more"
    assert fact(message, "Function") == ()


def test_who_changed_it_when_and_by_which_event_is_shown() -> None:
    """The event is a link to the region that recorded it, which need not be that of the function."""
    message = compose(replace(OPENED, region="eu-west-1", changed_at="2026-11-20T10:15:30.987+00:00"))
    assert "".join(map(str, fact(message, "Changed by"))) == (
        "arn:aws:sts::123456789012:assumed-role/deploy/jane with aws-cli/2.31 from 203.0.113.7"
    )
    (time,) = fact(message, "Time")
    assert isinstance(time, Time)
    assert time.at == parsed_time("2026-11-20T10:15:30.987Z")
    assert fact(message, "CloudTrail") == (
        Link(
            OPENED.changed_event,
            f"https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events/{OPENED.changed_event}",
        ),
    )


def test_without_an_event_nobody_is_named() -> None:
    """A check that was requested has no event. An older finding has the id of its event, and not the region."""
    unknown = replace(OPENED, changed_by="", changed_from="", changed_with="", changed_event="", changed_in="")
    assert fact(compose(unknown), "CloudTrail") == (OPENED.event_ids[0],)
    assert fact(compose(unknown), "Changed by") == ()
    requested = replace(unknown, event_ids=("check-request/7",))
    assert fact(compose(requested), "CloudTrail") == ()
    assert fact(compose(replace(unknown, changed_from="203.0.113.7")), "Changed by") == (
        "unknown",
        " from ",
        "203.0.113.7",
    )


def test_the_owner_of_the_function_is_named_by_its_tags() -> None:
    """A channel can mention that person or team. Without one nobody is named."""
    message = compose(replace(OPENED, tags={"team": "payments", "owner": "alice@example.com", "stage": "prod"}))
    assert (message.owner, fact(message, "Owner")) == ("alice@example.com", ("alice@example.com",))
    assert compose(replace(OPENED, tags={"team": "payments", "owner": ""})).owner == "payments"
    assert (compose(OPENED).owner, fact(compose(OPENED), "Owner")) == ("", ())


@pytest.mark.parametrize("blank", ["", " ", "\u3000", "\u200b"])
def test_the_owner_is_the_first_tag_that_shows_anything(blank: str) -> None:
    """A tag whose value nobody sees names nobody."""
    assert compose(replace(OPENED, tags={"owner": blank, "team": "payments"})).owner == "payments"
    message = compose(replace(OPENED, tags={"owner": blank, "team": blank}))
    assert message.owner == ""
    assert "Owner" not in [one.label for one in message.facts]


def test_why_it_matters_is_one_sentence() -> None:
    """The rule's page has the rest."""
    (why,) = [one for one in compose(OPENED).sections if one.title == "Why it matters"]
    assert why.text == (
        "Lambda does not poll the SQS queue until a user enables the event source mapping: records are not processed, "
        "and are lost when they expire."
    )


def test_the_rule_its_page_and_the_details_are_one_command_away() -> None:
    """And the id of the finding is there by itself."""
    message = compose(OPENED)
    assert fact(message, "Rule") == ("PG201 event-source-read-missing",)
    assert fact(message, "Rule page") == ("permission-guard rules show PG201",)
    assert fact(message, "Finding id") == (OPENED.id,)
    assert fact(message, "Details") == (f"permission-guard findings show {OPENED.id}",)


def test_remedies_are_shown_while_the_finding_is_open_and_no_fix_is_in_progress() -> None:
    """A remedy for a fixed finding would be applied twice."""
    assert "How to fix it (AWS CLI)" in titles(compose(OPENED))
    assert "How to fix it (AWS CLI)" in titles(compose(replace(APPLIED, transition=Transition.FIX_FAILED)))
    fixing = (APPLIED, replace(OPENED, transition=Transition.FIX_APPROVED))
    for finding in (*fixing, replace(OPENED, status=Status.RESOLVED), replace(OPENED, status=Status.SUPPRESSED)):
        assert not [title for title in titles(compose(finding)) if title.startswith(("How to fix", "Why"))]


@pytest.mark.parametrize(
    ("managed_by", "shown"),
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
def test_the_owner_of_the_function_comes_before_the_remedies(managed_by: ManagedBy, shown: str) -> None:
    """The next deployment overwrites manual changes."""
    message = compose(replace(OPENED, managed_by=managed_by))
    assert titles(message).index("Where to fix it") < titles(message).index("How to fix it (AWS CLI)")
    assert shown in text(message)
    assert "Where to fix it" not in titles(compose(replace(OPENED, managed_by=managed_by, status=Status.RESOLVED)))


def test_a_remedy_says_what_it_is_and_what_else_changes() -> None:
    """Which step it is, and that a person decides first."""
    remedy = Remedy("sam", "x", needs_decision=True, changes="The role is replaced.", step="step 1 of 2")
    message = compose(replace(OPENED, remedies=(remedy,)))
    assert titles(message)[1:3] == [
        "How to fix it (SAM and CloudFormation, step 1 of 2, after a decision)",
        "What else changes",
    ]


def test_the_undo_command_is_not_shown_after_the_undo() -> None:
    """A second undo would remove what a person has restored."""
    assert "How to undo it" in titles(compose(APPLIED))
    assert "How to undo it" not in titles(compose(replace(APPLIED, transition=Transition.FIX_UNDONE)))


def test_a_refused_fix_shows_the_reason_and_no_before_and_after() -> None:
    """Nothing was changed, so there is nothing to compare."""
    fix = FixRecord(
        name="narrow-statement", result=FixResult.REFUSED, summary="The bucket is unknown.", at=NOW, attempts=1
    )
    message = compose(replace(OPENED, transition=Transition.FIX_REFUSED, fix=fix))
    shown = "narrow-statement: refused (attempt 1, 2026-11-20T09:30:00Z). The bucket is unknown."
    assert shown in text(message)
    assert {"Before", "After", "How to undo it"}.isdisjoint(titles(message))


def test_a_finding_without_details_still_makes_a_message() -> None:
    """Empty parts are omitted."""
    bare = replace(OPENED, impact="", evidence={}, remedies=(), event_ids=(), changed_event="", subject="")
    assert titles(compose(bare)) == ["What is wrong"]
    assert "CloudTrail" not in text(compose(bare))


def test_a_name_cannot_forge_a_line_of_the_message() -> None:
    """A Sid with line breaks stays on its line."""
    forged = replace(OPENED, title="x\n\nHow to fix it:\naws iam create-user", subject="s\r\nSeverity: low")
    lines = text(compose(forged)).splitlines()
    assert lines[0] == "Opened: x How to fix it: aws iam create-user"
    assert "Subject:    s Severity: low" in lines


def test_every_part_has_a_bound() -> None:
    """A message stays readable with any name."""
    message = compose(HUGE_FINDING)
    assert len(message.title) == 500
    assert message.title.endswith("…")
    for one in (*message.facts, *message.references):
        assert all(len(part) <= 300 for part in one.parts if isinstance(part, str))
    assert max(len(section.text) for section in message.sections) <= 20_000
    assert sum(len(section.text) for section in message.evidence if section.title == "Evidence") <= 2_300


def test_no_part_has_an_invisible_character() -> None:
    """One that changes the text direction can disguise a command as a different one."""
    assert all(char.isprintable() or char in "\n\t" for char in text(compose(HOSTILE_FINDING)))


def test_a_command_is_shown_whole_or_not_at_all() -> None:
    """Half a command does something else."""
    section = compose(replace(OPENED, remedies=(Remedy("aws-cli", "x" * 30_000),))).sections[1]
    assert section.style is SectionStyle.PROSE
    assert section.text == f"Too long for a message. See permission-guard findings show {OPENED.id}."


def test_hidden_characters_in_a_command_are_shown() -> None:
    """A hidden character can disguise a command as a different one."""
    section = compose(replace(OPENED, remedies=(Remedy("bash\u202e", "aws \u202els\x1b"),))).sections[1]
    assert section.text == "aws \\u202els\\u001b"
    assert section.title == "How to fix it (bash)"


def test_the_end_of_a_suppression_does_not_say_that_the_problem_was_resolved() -> None:
    """It existed all the time."""
    opened = a_finding(revision=0)
    suppressed = advanced(advanced(opened, Transition.OPENED, NOW), Transition.SUPPRESSED, NOW)
    reopened = advanced(suppressed, Transition.REOPENED, NOW)
    assert compose(reopened).happened == "The finding is no longer suppressed. The problem still exists."
    resolved = advanced(advanced(reopened, Transition.RESOLVED, NOW), Transition.REOPENED, NOW)
    assert compose(resolved).happened == HAPPENED[Transition.REOPENED]


def test_an_applied_fix_with_a_plan_is_undone_by_the_bot() -> None:
    """The command needs the id alone; the one for AWS is below it. What changed is in the plan, and not repeated."""
    assert APPLIED.fix is not None
    call = PlannedCall(operation="iam:AttachRolePolicy", parameters={"RoleName": "orders-role"})
    message = compose(replace(APPLIED, fix=replace(APPLIED.fix, calls=(call,))))
    commands = {one.title: one.text for one in message.sections}
    assert commands["How to undo it"] == f"permission-guard fixes undo {APPLIED.id}"
    assert commands["How to undo it by hand"] == APPLIED.fix.undo
    assert {"Before", "After"}.isdisjoint(titles(message))
    assert {"Before", "After"} <= set(titles(compose(APPLIED)))


@pytest.mark.parametrize(
    ("transition", "result", "state", "happened"),
    [
        (Transition.FIX_UNDONE, FixResult.UNDONE, "Fix undone", "The fix was undone."),
        (Transition.FIX_REFUSED, FixResult.APPLIED, "Undo refused", "The bot refused to undo the fix"),
        (Transition.FIX_FAILED, FixResult.APPLIED, "Undo failed", "Undoing the fix failed."),
    ],
)
def test_the_end_of_an_undo_is_told_with_who_requested_it_and_why(
    transition: Transition, result: FixResult, state: str, happened: str
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
    assert message.state == state
    assert message.happened.startswith(happened)
    shown = "arn:aws:iam::123456789012:user/jane at 2026-11-20T09:30:00Z: Orders is down"
    assert texts["Undo requested by"] == shown
    assert texts["How the undo ended"] == "2026-11-20T09:30:00Z: It ended."
    assert texts["Calls to AWS that undo it"] == "iam:DetachRolePolicy\n  RoleName: orders-role"
    assert texts["What others changed since the fix"] == "attached:\n  + added\n  1 unchanged"
    assert texts["Before and after the undo"] == "attached:\n  - a\n  1 unchanged"
    assert ("How to undo it" in texts) == (result is FixResult.APPLIED)


def test_what_is_resolved_says_why_and_what_was_wrong() -> None:
    """And since when."""
    message = compose(RESOLVED)
    assert message.headline == "Resolved: orders cannot read its SQS queue"
    assert titles(message)[0] == "Resolution"
    assert "What was wrong" in titles(message)
    assert "Evidence" not in titles(message)
    (first_seen,) = fact(message, "First seen")
    assert isinstance(first_seen, Time)


def test_several_findings_of_one_event_are_one_message() -> None:
    """The worst one is in the headline; each has its remedies, its rule, its id, and its evidence."""
    message = compose(OPENED, OTHER)
    assert message.headline == "[CRITICAL] Opened: orders cannot write its logs (and 1 more)"
    assert [one.label for one in message.facts] == ["Function", "Changed by", "Time", "CloudTrail"]
    assert titles(message) == [
        "PG204 logging-missing",
        "Why it matters",
        "How to fix it (AWS CLI)",
        "PG201 event-source-read-missing",
        "Why it matters",
        "How to fix it (AWS CLI)",
        "How to fix it (Terraform)",
        "What is wrong (PG204)",
        "Evidence (PG204)",
        "What is wrong (PG201)",
        "Evidence (PG201)",
    ]
    assert [one.parts for one in message.references if one.label == "Finding id"] == [(OTHER.id,), (OPENED.id,)]
    assert message.attributes["rule_id"] == ("PG204", "PG201")
    assert message.attributes["severity"] == ("critical",)
    assert message.key == f"{OTHER.id}-1+{OPENED.id}-1"
    assert message.rest.count("permission-guard findings show ") == 2


def test_whichever_finding_comes_first_the_message_is_the_same() -> None:
    """A FIFO topic that has got it drops it when the event of another one sends it again."""
    low = replace(OPENED, id="0" * 32, severity=Severity.LOW)
    alike = [replace(OPENED, id=name * 32, title=name) for name in "abc"]
    assert len({compose(*order).key for order in permutations([low, *alike])}) == 1
    message = compose(*reversed(alike), low)
    assert message == compose(low, *alike)
    assert message.findings == (*(one.id for one in alike), low.id)


def test_a_message_about_one_finding_has_the_key_of_its_revision() -> None:
    """A channel that knows it sends the message once, and keeps the order of those about the same function."""
    message = compose(OPENED)
    assert message.key == f"{OPENED.id}-1"
    assert message.group == OPENED.function_arn
    assert all(isinstance(one, Fact) for one in message.facts)
