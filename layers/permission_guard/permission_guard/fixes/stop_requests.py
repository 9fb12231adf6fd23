"""Requests of people to stop all fixing, to resume it, or to learn whether it is stopped. Pure.

Whoever may invoke the function `decide_fix` may make them, in every FixMode: what is stopped stays stopped when the
mode changes.
"""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, Self

from permission_guard.errors import UNREADABLE, RequestRefusedError
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.fixes.stop import Breaker, StopState, Switch, SwitchState, state_of
from permission_guard.iam.arn import require_arn
from permission_guard.model.signed_requests import (
    NONCE,
    REASON,
    digest_of,
    require_object,
    require_reason,
    texts_of,
)
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.fixes.stop import Fixing
    from permission_guard.model.targets import JSON


class StopRequestKind(StrEnum):
    """What a person requests."""

    STOP = "stop"
    RESUME = "resume"
    STATUS = "status"


_STATES: Final = {StopRequestKind.STOP: SwitchState.STOPPED, StopRequestKind.RESUME: SwitchState.RESUMED}


@record(kw_only=True)
class StopRequest:
    """A request about all fixing. `nonce` are 32 random hexadecimal digits; `reason` is empty for `status`."""

    kind: StopRequestKind
    nonce: str
    reason: str = ""

    @classmethod
    def from_document(cls, document: JSON) -> Self:
        """Read a request. RequestRefusedError names what is invalid."""
        document = require_object(document)
        texts = texts_of(document, {"kind": "|".join(StopRequestKind), "nonce": NONCE})
        kind = StopRequestKind(texts["kind"])
        if kind is StopRequestKind.STATUS:
            return cls(kind=kind, nonce=texts["nonce"])
        reason = texts_of(document, {"reason": REASON})["reason"]
        require_reason(reason)
        return cls(kind=kind, nonce=texts["nonce"], reason=reason)

    def to_document(self) -> dict[str, JSON]:
        """Return the request as JSON values, without its signature."""
        return asdict(self)

    def digest(self, audience: str) -> str:
        """Return the hash that the caller signs. `audience` is the ARN of the function that takes the request."""
        return digest_of(self.to_document(), audience)


class SwitchStore(StopState, Protocol):
    """Stores what people set the switch to."""

    def request(self, nonce: str) -> Switch | None:
        """Return what the request with a nonce asked for, None if no such request was recorded."""

    def record(self, request: Switch, *, is_set: bool, replaced: str | None) -> None:
        """Write a request and, if `is_set`, the switch: both or none.

        `replaced` is the nonce of the switch that was read, empty if there was none; None replaces whatever is there.
        ConflictError if the switch was set meanwhile, or the request is recorded.
        """


@record(kw_only=True)
class StopAnswer:
    """What became of a request: its caller's proven ARN, and the state of fixing now.

    `changed` is false if fixing was in that state already.
    """

    request: StopRequest
    caller: str
    fixing: Fixing
    changed: bool


def set_switch(request: StopRequest, *, caller: str, audience: str, store: SwitchStore, now: str) -> StopAnswer:
    """Do what a person requests; the same request again changes nothing more.

    `caller` is the proven ARN of who requests it, and `audience` the ARN of the function that took the request.
    RequestRefusedError has the reason if it is not done; ConflictError if others set the switch all the time.
    """
    account = require_arn(audience).account
    if require_arn(caller).account != account:
        raise RequestRefusedError(f"{caller} is not a principal of account {account}")
    return retry_on_conflict(partial(_set, request, caller, store, now))


def _set(request: StopRequest, caller: str, store: SwitchStore, now: str) -> StopAnswer:
    """Read what stops fixing, and set the switch. ConflictError if another request set it meanwhile."""
    breaker = _breaker(request, store)
    try:
        before, is_readable = store.switch(), True
    except UNREADABLE:  # it stops fixing, until a person sets it again
        before, is_readable = None, False
    if request.kind is StopRequestKind.STATUS or _is_recorded(request, store):
        if not is_readable:
            raise RequestRefusedError("fixing is stopped, because the switch cannot be read: resume to set it again")
        return StopAnswer(request=request, caller=caller, fixing=state_of(before, breaker), changed=False)
    wanted = _STATES[request.kind]
    if wanted is SwitchState.STOPPED:  # also if the breaker is open: then a person stops it besides
        changed = before is None or before.state is not wanted
    else:
        changed = not is_readable or state_of(before, breaker).is_stopped
    switch = Switch(
        state=wanted,
        reason=request.reason.strip(),
        by=caller,
        at=now,
        nonce=request.nonce,
        opening=breaker.opening if wanted is SwitchState.RESUMED else "",
    )
    # Also what changes nothing is recorded: its signature must not resume what somebody stops a minute later.
    store.record(switch, is_set=changed, replaced=(before.nonce if before else "") if is_readable else None)
    fixing = state_of(switch if changed else before, breaker)
    return StopAnswer(request=request, caller=caller, fixing=fixing, changed=changed)


def _breaker(request: StopRequest, store: SwitchStore) -> Breaker:
    """Return the breaker. RequestRefusedError if it cannot be read, except to stop: that does not depend on it."""
    try:
        return store.breaker()
    except UNREADABLE as error:
        if request.kind is StopRequestKind.STOP:
            return Breaker()
        what = "the item BREAKER of the decisions table cannot be read: delete it, and resume"
        raise RequestRefusedError(f"fixing is stopped, because {what}") from error


def _is_recorded(request: StopRequest, store: SwitchStore) -> bool:
    """Return whether the same request was recorded before. RequestRefusedError if it was another one."""
    try:
        recorded = store.request(request.nonce)
    except UNREADABLE as error:
        raise RequestRefusedError("the request is recorded but cannot be read: send it again") from error
    if recorded is None:
        return False
    if (recorded.state, recorded.reason) != (_STATES[request.kind], request.reason.strip()):
        raise RequestRefusedError("the `nonce` was used for another request: send it again")
    return True
