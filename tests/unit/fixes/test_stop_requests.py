"""Requests to stop and to resume: what is read, who may, what is recorded, and what a repetition does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from permission_guard.errors import ConflictError, RequestRefusedError
from permission_guard.fixes.stop import Breaker, FailedFix, Fixing, Switch, SwitchState, why_stopped
from permission_guard.fixes.stop_requests import StopAnswer, StopRequest, StopRequestKind, set_switch
from tests.fakes import NOW, InMemoryStop

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
BOB = "arn:aws:iam::123456789012:user/bob"
AUDIENCE = "arn:aws:lambda:us-east-1:123456789012:function:decide-fix"
LATER = "2026-11-20T10:30:00.000+00:00"
STOP = StopRequest(kind=StopRequestKind.STOP, reason=" Orders is down ", nonce="1" * 32)
RESUME = StopRequest(kind=StopRequestKind.RESUME, reason="Repaired", nonce="2" * 32)
STATUS = StopRequest(kind=StopRequestKind.STATUS, nonce="3" * 32)
OPEN = Breaker(opened_by=tuple(FailedFix(NOW, f"{finding}#1") for finding in "abc"), number=3)


def ask(stop: InMemoryStop, request: StopRequest, **more: Any) -> StopAnswer:
    """Make a request."""
    return set_switch(request, **{"caller": JANE, "audience": AUDIENCE, "store": stop, "now": NOW, **more})


class Damaged(InMemoryStop):
    """A table in which some items cannot be read."""

    parts: tuple[str, ...] = ()

    def switch(self) -> Switch | None:
        if "switch" in self.parts:
            raise ValueError("state")
        return super().switch()

    def breaker(self) -> Breaker:
        if "breaker" in self.parts:
            raise ValueError("number")
        return super().breaker()

    def request(self, nonce: str) -> Switch | None:
        if "request" in self.parts:
            raise ValueError("nonce")
        return super().request(nonce)


def damaged(*parts: str, **more: Any) -> Damaged:
    """Return such a table."""
    stop = Damaged(**more)
    stop.parts = parts
    return stop


# ── What is read ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("request_", [replace(STOP, reason="Orders is down"), RESUME, STATUS])
def test_a_request_is_read_as_it_was_sent(request_: StopRequest) -> None:
    """Other fields are not read, and neither is a reason to ask for the status."""
    assert StopRequest.from_document({**request_.to_document(), "by": BOB}) == request_
    assert StopRequest.from_document({**STATUS.to_document(), "reason": "x" * 900}) == STATUS


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "not a JSON object"),
        ({"kind": "pause"}, "no valid `kind`"),
        ({"nonce": "x"}, "no valid `nonce`"),
        ({"reason": None}, "no valid `reason`"),
        ({"reason": ""}, "no valid `reason`"),
        ({"reason": "x" * 501}, "no valid `reason`"),
        ({"reason": "  "}, "the `reason` is blank"),
        ({"reason": "a\nb"}, "a line break"),
        ({"reason": "a\x1b[2Jb"}, "a control or invisible character"),
        ({"reason": "a\u202eb"}, "a control or invisible character"),
    ],
)
@pytest.mark.parametrize("kind", ["stop", "resume"])
def test_an_invalid_request_is_refused_with_what_is_invalid(kind: str, document: Any, message: str) -> None:
    """A reason is what others see, so it is as that of a suppression."""
    valid = {"kind": kind, "reason": "x" * 500, "nonce": "f" * 32}
    assert StopRequest.from_document(valid).reason == "x" * 500
    with pytest.raises(RequestRefusedError, match=message):
        StopRequest.from_document(document if document is None else {**valid, **document})


def test_a_signature_covers_each_field_and_the_function() -> None:
    """A signature to stop cannot resume, and is of no use for another stack."""
    digests = {
        STOP.digest(AUDIENCE),
        STOP.digest(f"{AUDIENCE}-2"),
        replace(STOP, kind=StopRequestKind.RESUME).digest(AUDIENCE),
        replace(STOP, reason="x").digest(AUDIENCE),
        replace(STOP, nonce="9" * 32).digest(AUDIENCE),
    }
    assert len(digests) == 5


# ── What is recorded ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_is_recorded_with_who_when_and_why() -> None:
    """The answer has what is recorded."""
    stop = InMemoryStop()
    answer = ask(stop, STOP)
    assert answer.changed
    assert answer.fixing == Fixing(True, NOW, JANE, "Orders is down")
    assert stop.switched == stop.requests[STOP.nonce]
    assert why_stopped(stop) == str(answer.fixing)


def test_who_stops_what_is_stopped_learns_who_stopped_it() -> None:
    """The first one stays recorded."""
    stop = InMemoryStop()
    ask(stop, STOP)
    answer = ask(stop, replace(STOP, nonce="9" * 32, reason="Me too"), caller=BOB, now=LATER)
    assert (answer.changed, answer.caller, answer.fixing.by, answer.fixing.since) == (False, BOB, JANE, NOW)
    assert stop.switched is not None
    assert stop.switched.by == JANE


def test_anybody_who_may_can_resume() -> None:
    """It need not be who stopped it."""
    stop = InMemoryStop()
    ask(stop, STOP)
    answer = ask(stop, RESUME, caller=BOB, now=LATER)
    assert (answer.changed, answer.fixing) == (True, Fixing(False, LATER, BOB, "Repaired"))
    assert why_stopped(stop) == ""


def test_to_resume_what_is_not_stopped_changes_nothing() -> None:
    """The switch is not set."""
    stop = InMemoryStop()
    assert ask(stop, RESUME) == StopAnswer(request=RESUME, caller=JANE, fixing=Fixing(False), changed=False)
    assert stop.switched is None


def test_a_resume_ends_the_stop_of_the_breaker() -> None:
    """It names the opening that its caller could see."""
    stop = InMemoryStop(opened=OPEN)
    assert ask(stop, STATUS).fixing.by == "apply_fix"
    assert ask(stop, RESUME).changed
    assert stop.switched is not None
    assert stop.switched.opening == OPEN.opening
    assert why_stopped(stop) == ""


def test_a_person_can_stop_while_the_breaker_is_open() -> None:
    """So that it stays stopped when somebody else ends the opening."""
    stop = InMemoryStop(opened=OPEN)
    answer = ask(stop, STOP)
    assert (answer.changed, answer.fixing.by) == (True, JANE)


def test_a_person_can_stop_again_after_a_resume() -> None:
    """The switch has the last state."""
    stop = InMemoryStop()
    ask(stop, STOP)
    ask(stop, RESUME)
    assert ask(stop, replace(STOP, nonce="9" * 32), now=LATER).fixing == Fixing(True, LATER, JANE, "Orders is down")


def test_the_status_records_nothing() -> None:
    """It only says how it is."""
    stop = InMemoryStop()
    assert ask(stop, STATUS) == StopAnswer(request=STATUS, caller=JANE, fixing=Fixing(False), changed=False)
    assert stop.requests == {}
    ask(stop, STOP)
    assert ask(stop, STATUS).fixing.is_stopped


@pytest.mark.parametrize("request_", [STOP, RESUME, STATUS])
def test_a_principal_of_another_account_changes_nothing(request_: StopRequest) -> None:
    """Its function may be invoked from there through the function's policy."""
    stop = InMemoryStop()
    with pytest.raises(RequestRefusedError, match="is not a principal of account 123456789012"):
        ask(stop, request_, caller="arn:aws:iam::999999999999:user/eve")
    assert stop.requests == {}


# ── Repetitions and conflicts ───────────────────────────────────────────────────────────────────────────────────────


def test_the_same_request_again_changes_nothing() -> None:
    """The reply of the first one may have been lost."""
    stop = InMemoryStop()
    first = ask(stop, STOP)
    again = ask(stop, STOP, now=LATER)
    assert (again.fixing, again.changed) == (first.fixing, False)


def test_a_repeated_resume_does_not_resume_what_was_stopped_since() -> None:
    """Whoever sees a request could send it once more while its signature is valid; also one that changed nothing."""
    stop = InMemoryStop()
    ask(stop, RESUME)
    ask(stop, STOP)
    answer = ask(stop, RESUME)
    assert (answer.changed, answer.fixing.is_stopped) == (False, True)
    assert why_stopped(stop) != ""


@pytest.mark.parametrize("other", [replace(RESUME, nonce=STOP.nonce), replace(STOP, reason="Other")])
def test_a_nonce_is_of_one_request(other: StopRequest) -> None:
    """Otherwise it would be answered as done."""
    stop = InMemoryStop()
    ask(stop, STOP)
    with pytest.raises(RequestRefusedError, match="the `nonce` was used for another request"):
        ask(stop, other)


def test_a_switch_that_was_set_meanwhile_is_read_again() -> None:
    """Of a stop and a resume at the same time, the later one counts."""
    stop = InMemoryStop()
    ask(stop, STOP)

    def meanwhile() -> None:
        stop.before_write = lambda: None
        ask(stop, RESUME)

    stop.before_write = meanwhile
    assert ask(stop, replace(RESUME, nonce="9" * 32)).changed is False
    assert why_stopped(stop) == ""


def test_a_switch_that_others_set_all_the_time_is_a_conflict() -> None:
    """The function fails, and the person sends it again."""
    stop = InMemoryStop()

    def always() -> None:
        stop.switched = Switch(
            state=SwitchState.RESUMED, reason="x", by=BOB, at=NOW, nonce=f"{len(stop.requests) + stop.reads:032x}"
        )

    stop.before_write = always
    with pytest.raises(ConflictError):
        ask(stop, STOP)


# ── Items that cannot be read ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("request_", [STOP, RESUME])
def test_a_switch_that_cannot_be_read_is_set_again(request_: StopRequest) -> None:
    """An emergency stop must not depend on what is there."""
    stop = damaged("switch", switched=Switch(state=SwitchState.STOPPED, reason="x", by=BOB, at=NOW, nonce="8" * 32))
    assert ask(stop, request_).changed
    assert stop.switched is not None
    assert stop.switched.nonce == request_.nonce


def test_the_status_of_a_switch_that_cannot_be_read_is_refused() -> None:
    """The reason says that fixing is stopped."""
    with pytest.raises(RequestRefusedError, match="fixing is stopped, because the switch cannot be read"):
        ask(damaged("switch"), STATUS)


def test_a_breaker_that_cannot_be_read_does_not_keep_anyone_from_stopping() -> None:
    """To resume, its item must be deleted first."""
    stop = damaged("breaker")
    assert ask(stop, STOP).changed
    for request in (RESUME, STATUS):
        with pytest.raises(RequestRefusedError, match="BREAKER of the decisions table cannot be read: delete it"):
            ask(stop, request)


def test_a_request_that_is_recorded_but_cannot_be_read_is_refused() -> None:
    """The next one has another nonce."""
    with pytest.raises(RequestRefusedError, match="recorded but cannot be read: send it again"):
        ask(damaged("request"), STOP)
