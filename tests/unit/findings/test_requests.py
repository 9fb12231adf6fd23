"""Requests of people about findings: what is done, what is refused and why, and what a repetition changes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import UNREADABLE, ConflictError, RequestRefusedError
from permission_guard.findings.requests import FindingRequest, FindingRequestKind, Managed, manage
from permission_guard.model.destinations import Destination, DestinationKind, DestinationResult, Outcome
from permission_guard.model.findings import Status, Transition
from permission_guard.model.suppressions import SuppressedBy, Suppression
from tests.fakes import FINDING_ID, FUNCTION_ARN, NOW, ROLE_ARN, TARGET, InMemoryFindings, a_finding

if TYPE_CHECKING:
    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.model.targets import FunctionTarget

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
JOHN = "arn:aws:sts::123456789012:assumed-role/platform/john"
MANAGE_FINDINGS = "arn:aws:lambda:us-east-1:123456789012:function:manage-findings"
NONCE = "0123456789abcdef" * 2
UNTIL = "2026-12-31T00:00:00+00:00"
SUPPRESS: dict[str, Any] = {
    "kind": "suppress",
    "finding_id": FINDING_ID,
    "target_arn": FUNCTION_ARN,
    "until": UNTIL,
    "reason": "Public on purpose, see ADR 12",
    "nonce": NONCE,
}
UNSUPPRESS = {**SUPPRESS, "kind": "unsuppress"}
SENT = DestinationResult(
    destination=Destination(name="sns", type="sns", kind=DestinationKind.ALERTS), outcome=Outcome.SENT
)
SUPPRESSION = Suppression(by=SuppressedBy.PERSON, reason="Public on purpose, see ADR 12", owner=JANE, until=UNTIL)


class Queues:
    """The queues of the checkers and of the alerts."""

    def __init__(self) -> None:
        self.checked: list[FunctionTarget] = []
        self.tests: list[AlertTest] = []

    def test(self, test: AlertTest) -> list[DestinationResult]:
        self.tests.append(test)
        return [SENT]


@pytest.fixture
def store() -> InMemoryFindings:
    """Return a table with an open finding."""
    findings = InMemoryFindings()
    findings.put(a_finding())
    return findings


@pytest.fixture
def queues() -> Queues:
    """Return empty queues."""
    return Queues()


def handle(
    store: InMemoryFindings, document: Any, queues: Queues | None = None, *, caller: str = JANE, now: str = NOW
) -> Managed:
    """Do what a request says."""
    queues = queues or Queues()
    return manage(
        FindingRequest.from_document(document),
        caller=caller,
        audience=MANAGE_FINDINGS,
        findings=store,
        request_checks=queues.checked.append,
        send_test=queues.test,
        now=now,
    )


# ── What is done ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_is_suppressed_with_its_owner_and_reason(store: InMemoryFindings) -> None:
    """The proven caller owns it, and is in the history."""
    managed = handle(store, SUPPRESS)
    finding = store.one()
    assert (managed.changed, managed.finding, managed.by) == (True, finding, JANE)
    assert (finding.status, finding.transition, finding.revision) == (Status.SUPPRESSED, Transition.SUPPRESSED, 2)
    assert finding.suppression == SUPPRESSION
    assert finding.resolution == f"Suppressed by {JANE} until 2026-12-31: Public on purpose, see ADR 12"
    assert finding.history[-1].by == JANE


def test_the_same_request_again_changes_nothing(store: InMemoryFindings) -> None:
    """A lost answer does no harm. Another reason, end or owner replaces the suppression."""
    handle(store, SUPPRESS)
    assert handle(store, {**SUPPRESS, "nonce": "f" * 32}).changed is False
    assert store.one().revision == 2
    for revision, (changed, caller) in enumerate(
        [({"reason": "another"}, JANE), ({"until": "2027-01-01T00:00:00+00:00"}, JANE), ({}, JOHN)], start=3
    ):
        assert handle(store, {**SUPPRESS, **changed}, caller=caller).changed is True
        assert store.one().revision == revision


def test_a_suppression_is_ended(store: InMemoryFindings) -> None:
    """The finding is open without it, so that the next check does not suppress it again."""
    handle(store, SUPPRESS)
    assert handle(store, UNSUPPRESS).changed is True
    finding = store.one()
    assert (finding.status, finding.transition, finding.suppression) == (Status.OPEN, Transition.REOPENED, None)
    assert (finding.resolution, finding.history[-1].by) == ("", JANE)
    assert handle(store, UNSUPPRESS).changed is False
    assert store.one().revision == 3


def test_a_finding_about_a_role_is_suppressed_too() -> None:
    """Its target is the role."""
    store = InMemoryFindings()
    store.put(a_finding(function_arn="", role_arn=ROLE_ARN))
    handle(store, {**SUPPRESS, "target_arn": ROLE_ARN})
    assert store.one().status is Status.SUPPRESSED


def test_a_finding_of_a_version_is_suppressed_by_its_own_arn() -> None:
    """The ARN of the function is another target."""
    store = InMemoryFindings()
    store.put(a_finding(function_arn=f"{FUNCTION_ARN}:7"))
    with pytest.raises(RequestRefusedError, match="does not exist"):
        handle(store, SUPPRESS)
    assert handle(store, {**SUPPRESS, "target_arn": f"{FUNCTION_ARN}:7"}).changed is True


def test_a_person_takes_over_from_an_exception(store: InMemoryFindings) -> None:
    """What the configuration suppresses can be suppressed for longer."""
    exception = Suppression(by=SuppressedBy.EXCEPTION, reason="r", owner="team", until=UNTIL, exception="public-api")
    store.put(a_finding(status=Status.SUPPRESSED, suppression=exception))
    handle(store, SUPPRESS)
    assert store.one().suppression == SUPPRESSION


@pytest.mark.parametrize("arn", [FUNCTION_ARN, f"{FUNCTION_ARN}:live"])
def test_checks_of_a_function_are_requested(store: InMemoryFindings, queues: Queues, arn: str) -> None:
    """Of the whole function, whichever of its aliases is named."""
    assert handle(store, {"kind": "recheck", "target_arn": arn, "nonce": NONCE}, queues).finding is None
    assert queues.checked == [TARGET]
    assert store.one().revision == 1


def test_a_test_message_is_requested(store: InMemoryFindings, queues: Queues) -> None:
    """It names who requested it, and where; the results are those of the senders."""
    managed = handle(store, {"kind": "test-message", "nonce": NONCE}, queues)
    assert managed.results == (SENT,)
    (test,) = queues.tests
    assert (test.id, test.by, test.at) == (NONCE, JANE, NOW)
    assert (test.account, test.region) == ("123456789012", "us-east-1")
    assert len(store.history) == 1


def test_a_request_is_repeated_when_a_check_writes_meanwhile(store: InMemoryFindings) -> None:
    """It acts on the finding as it is then."""

    def write_once() -> None:
        store.before_write = lambda: None
        store.put(a_finding(revision=2, title="changed"))

    store.before_write = write_once
    handle(store, SUPPRESS)
    assert (store.one().title, store.one().revision, store.one().status) == ("changed", 3, Status.SUPPRESSED)


def test_a_finding_that_changes_all_the_time_is_reported(store: InMemoryFindings) -> None:
    """The request can be sent again."""
    revisions = iter(range(2, 100))
    store.before_write = lambda: store.put(a_finding(revision=next(revisions)))
    with pytest.raises(ConflictError):
        handle(store, SUPPRESS)


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "not a JSON object"),
        ([SUPPRESS], "not a JSON object"),
        ({}, "no valid `kind`"),
        ({**SUPPRESS, "kind": "delete"}, "no valid `kind`"),
        ({**SUPPRESS, "kind": ["suppress"]}, "no valid `kind`"),
        ({**SUPPRESS, "nonce": "1"}, "no valid `nonce`"),
        ({**SUPPRESS, "finding_id": FINDING_ID[:8]}, "no valid `finding_id`"),
        ({**SUPPRESS, "finding_id": f"{FINDING_ID}\n"}, "no valid `finding_id`"),
        ({**SUPPRESS, "target_arn": "orders"}, "no valid `target_arn`"),
        ({**SUPPRESS, "target_arn": "arn:aws:s3:::bucket"}, "not a Lambda function name or ARN"),
        ({**SUPPRESS, "target_arn": f"{FUNCTION_ARN}\x00"}, "no valid `target_arn`"),
        ({**SUPPRESS, "target_arn": "arn:" + "a" * 9_000}, "no valid `target_arn`"),
        ({**SUPPRESS, "target_arn": "arn:aws:iam::123456789012:user/eve"}, "not a role ARN"),
        ({**SUPPRESS, "target_arn": FUNCTION_ARN.replace("123456789012", "999999999999")}, "is not of account"),
        ({**SUPPRESS, "until": "2026-12-31"}, "no valid `until`"),
        ({**SUPPRESS, "until": "2026-12-31T00:00:00"}, "no valid `until`"),
        ({**SUPPRESS, "until": "2026-13-31T00:00:00+00:00"}, "there is no such time"),
        ({**SUPPRESS, "until": "0000-00-00T00:00:00+00:00"}, "there is no such time"),
        ({**SUPPRESS, "until": NOW[:19] + "+00:00"}, "must be in the future"),
        ({**SUPPRESS, "until": "2020-01-01T00:00:00+00:00"}, "must be in the future"),
        ({**SUPPRESS, "until": "2027-11-22T00:00:00+00:00"}, "at most 366 days ahead"),
        ({**SUPPRESS, "until": "9999-12-31T23:59:59+00:00"}, "at most 366 days ahead"),
        ({**SUPPRESS, "reason": ""}, "no valid `reason`"),
        ({**SUPPRESS, "reason": " \t"}, "is blank"),
        ({**SUPPRESS, "reason": "a" * 501}, "no valid `reason`"),
        ({**SUPPRESS, "reason": ["a"]}, "no valid `reason`"),
        ({**SUPPRESS, "reason": "a\x1b[2J"}, "control or invisible character"),
        ({**SUPPRESS, "reason": "a\nb"}, "line break"),
        ({**SUPPRESS, "reason": "a\u202eb"}, "control or invisible character"),
        ({**SUPPRESS, "reason": "a\ud800"}, "control or invisible character"),
        ({**SUPPRESS, "finding_id": "0" * 32}, "does not exist"),
        ({"kind": "recheck", "nonce": NONCE, "target_arn": ROLE_ARN}, "not a Lambda function"),
        (
            {"kind": "recheck", "nonce": NONCE, "target_arn": FUNCTION_ARN.replace("us-east-1", "eu-west-1")},
            "is not a function of account 123456789012 in us-east-1",
        ),
        (
            {"kind": "recheck", "nonce": NONCE, "target_arn": FUNCTION_ARN.replace("123456789012", "999999999999")},
            "is not a function of account",
        ),
    ],
)
def test_a_request_that_is_not_valid_is_refused(
    store: InMemoryFindings, queues: Queues, document: Any, reason: str
) -> None:
    """Nothing is written or requested."""
    with pytest.raises(RequestRefusedError, match=reason):
        handle(store, document, queues)
    assert (store.one().revision, queues.checked, queues.tests) == (1, [], [])


def test_the_limits_of_a_suppression_are_exact(store: InMemoryFindings) -> None:
    """366 days ahead, and 500 characters."""
    now = "2026-11-20T09:30:00.000+00:00"
    until = (datetime.fromisoformat(now) + timedelta(days=366)).isoformat(timespec="seconds")
    assert handle(store, {**SUPPRESS, "until": until, "reason": "ä" * 500}, now=now).changed is True


@pytest.mark.parametrize("document", [SUPPRESS, UNSUPPRESS])
def test_a_resolved_finding_is_neither_suppressed_nor_opened(store: InMemoryFindings, document: dict[str, Any]) -> None:
    """Its problem does not exist."""
    store.put(a_finding(status=Status.RESOLVED))
    with pytest.raises(RequestRefusedError, match="the finding is resolved"):
        handle(store, document)
    assert store.one().status is Status.RESOLVED


@pytest.mark.parametrize(
    ("by", "how"),
    [
        (SuppressedBy.EXCEPTION, "the exception public-api suppresses the finding: remove it from guard.yaml"),
        (SuppressedBy.FUNCTION_TAG, "remove the tag"),
    ],
)
def test_what_no_person_suppressed_is_ended_elsewhere(store: InMemoryFindings, by: SuppressedBy, how: str) -> None:
    """The next check would suppress it again. The reason says what to do."""
    suppression = replace(SUPPRESSION, by=by, exception="public-api" if by is SuppressedBy.EXCEPTION else "")
    store.put(a_finding(status=Status.SUPPRESSED, suppression=suppression))
    with pytest.raises(RequestRefusedError, match=how):
        handle(store, UNSUPPRESS)
    assert store.one().suppression == suppression


@pytest.mark.parametrize(
    "document",
    [
        SUPPRESS,
        {"kind": "recheck", "target_arn": FUNCTION_ARN, "nonce": NONCE},
        {"kind": "test-message", "nonce": NONCE},
    ],
)
def test_a_caller_of_another_account_is_refused(
    store: InMemoryFindings, queues: Queues, document: dict[str, Any]
) -> None:
    """Even if the function's policy allows them to invoke it."""
    with pytest.raises(RequestRefusedError, match="is not a principal of account 123456789012"):
        handle(store, document, queues, caller=JANE.replace("123456789012", "999999999999"))
    assert (store.one().revision, queues.checked, queues.tests) == (1, [], [])


@pytest.mark.parametrize("error", UNREADABLE)
def test_a_finding_that_cannot_be_read_is_not_changed(
    store: InMemoryFindings, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whatever is wrong with its item."""

    def fail(*_: Any) -> None:
        raise error("damaged")

    monkeypatch.setattr(store, "finding", fail)
    with pytest.raises(RequestRefusedError, match="recorded but cannot be read"):
        handle(store, SUPPRESS)


# ── What is signed ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signature_covers_each_field_and_the_function() -> None:
    """None of them can be replaced, and no other function accepts it."""
    request = FindingRequest.from_document(SUPPRESS)
    others = [
        FindingRequest.from_document({**SUPPRESS, **changed})
        for changed in (
            {"kind": "unsuppress"},
            {"finding_id": "0" * 32},
            {"target_arn": ROLE_ARN},
            {"until": "2027-01-01T00:00:00+00:00"},
            {"reason": "another"},
            {"nonce": "f" * 32},
        )
    ]
    digests = {one.digest(MANAGE_FINDINGS) for one in (request, *others)} | {request.digest(f"{MANAGE_FINDINGS}-2")}
    assert len(digests) == len(others) + 2


def test_a_request_is_read_as_it_was_sent() -> None:
    """The fields that a kind does not use are empty on both sides, whatever the message has."""
    for kind in FindingRequestKind:
        request = FindingRequest.from_document({**SUPPRESS, "kind": str(kind), "surplus": [[]]})
        sent = json.loads(json.dumps(request.to_document()))
        assert FindingRequest.from_document(sent) == request
    assert FindingRequest.from_document({**SUPPRESS, "kind": "test-message"}).reason == ""
