"""Requests of people about findings: suppress one, end that, check a function again, send a test message. Pure.

Whoever may invoke the function `manage_findings` may make them. Nothing in a request is trusted: the caller is the one
that AWS STS proves, and the finding is read in the table.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.errors import UNREADABLE, RequestRefusedError
from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.exceptions import MAX_SUPPRESSION
from permission_guard.findings.lifecycle import reopened, suppressed
from permission_guard.iam.arn import require_arn
from permission_guard.model.arns import finding_target, parse_function_arn
from permission_guard.model.findings import Cause, Status
from permission_guard.model.signed_requests import (
    ARN,
    NONCE,
    REASON,
    digest_of,
    require_object,
    require_reason,
    texts_of,
)
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.findings.lifecycle import Change
    from permission_guard.findings.store import FindingStore
    from permission_guard.iam.arn import Arn
    from permission_guard.model.destinations import DestinationResult
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON, FindingTarget, FunctionTarget

_FINDING_ID: Final = "[0-9a-f]{32}"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00"


class FindingRequestKind(StrEnum):
    """What a person requests."""

    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    RECHECK = "recheck"
    TEST_MESSAGE = "test-message"


_FINDING: Final = {"finding_id": _FINDING_ID, "target_arn": ARN}
_PATTERNS: Final = {
    FindingRequestKind.SUPPRESS: {**_FINDING, "until": _TIME, "reason": REASON},
    FindingRequestKind.UNSUPPRESS: _FINDING,
    FindingRequestKind.RECHECK: {"target_arn": ARN},
    FindingRequestKind.TEST_MESSAGE: {},
}
"""The fields of each kind besides `kind` and `nonce`, and the pattern of their values. Others are not read."""


@record(kw_only=True)
class FindingRequest:
    """A request about findings. `nonce` are 32 random hexadecimal digits.

    `target_arn` is that of the finding, or the function to check. `until` is ISO-8601 in UTC with whole seconds. Fields
    that the kind does not use are empty.
    """

    kind: FindingRequestKind
    nonce: str
    finding_id: str = ""
    target_arn: str = ""
    until: str = ""
    reason: str = ""

    @classmethod
    def from_document(cls, document: JSON) -> Self:
        """Read a request. RequestRefusedError names what is invalid."""
        document = require_object(document)
        texts = texts_of(document, {"kind": "|".join(FindingRequestKind), "nonce": NONCE})
        kind = FindingRequestKind(texts["kind"])
        request = cls(kind=kind, nonce=texts["nonce"], **texts_of(document, _PATTERNS[kind]))
        if kind is FindingRequestKind.SUPPRESS:
            require_reason(request.reason)
            _ = request.end
        return request

    @property
    def end(self) -> datetime:
        """The end of a suppression. RequestRefusedError if there is no such time."""
        try:
            return datetime.fromisoformat(self.until)
        except ValueError as error:
            raise RequestRefusedError("the request has no valid `until`: there is no such time") from error

    def to_document(self) -> dict[str, JSON]:
        """Return the request as JSON values, without its signature."""
        return asdict(self)

    def digest(self, audience: str) -> str:
        """Return the hash that the caller signs. `audience` is the ARN of the function that takes the request."""
        return digest_of(self.to_document(), audience)


@record(kw_only=True)
class Managed:
    """What became of a request: the proven ARN of its caller, and the finding as it is now, if it is about one.

    `changed` is false if the finding was in the requested state already. `results` say what became of a test at each
    destination.
    """

    request: FindingRequest
    by: str
    finding: Finding | None = None
    changed: bool = True
    results: tuple[DestinationResult, ...] = ()


def manage(
    request: FindingRequest,
    *,
    caller: str,
    audience: str,
    findings: FindingStore,
    request_checks: Callable[[FunctionTarget], None],
    send_test: Callable[[AlertTest], Sequence[DestinationResult]],
    now: str,
) -> Managed:
    """Do what a person requests; the same request again changes nothing more.

    `caller` is the proven ARN of who requests it, and `audience` the ARN of the function that took the request.
    RequestRefusedError has the reason if it is not done; ConflictError if the finding changes all the time.
    """
    place = require_arn(audience)
    if require_arn(caller).account != place.account:
        raise RequestRefusedError(f"{caller} is not a principal of account {place.account}")
    if request.kind is FindingRequestKind.TEST_MESSAGE:
        test = AlertTest(id=request.nonce, by=caller, at=now, account=place.account, region=place.region)
        return Managed(request=request, by=caller, results=tuple(send_test(test)))
    if request.kind is FindingRequestKind.RECHECK:
        request_checks(_function(request.target_arn, place))
        return Managed(request=request, by=caller)
    target = _target(request.target_arn, place)
    return retry_on_conflict(partial(_change, request, target, caller, findings, now))


def _change(request: FindingRequest, target: FindingTarget, caller: str, findings: FindingStore, now: str) -> Managed:
    """Read a finding and bring it into the requested state. ConflictError if it changed meanwhile."""
    try:
        finding = findings.finding(target, request.finding_id)
    except UNREADABLE as error:
        raise RequestRefusedError("the finding is recorded but cannot be read") from error
    if finding is None or finding.target_arn != request.target_arn:
        raise RequestRefusedError("the finding does not exist")
    if finding.status is Status.RESOLVED:
        raise RequestRefusedError("the finding is resolved: its problem no longer exists")
    cause = Cause(by=caller)
    if request.kind is FindingRequestKind.SUPPRESS:
        change = _suppressed(finding, request, now, cause)
    else:
        change = _unsuppressed(finding, now, cause)
    if change is not None:
        findings.put_finding(change)
    return Managed(
        request=request, by=caller, finding=change.finding if change else finding, changed=change is not None
    )


def _suppressed(finding: Finding, request: FindingRequest, now: str, cause: Cause) -> Change | None:
    """Return the change that suppresses a finding; None if it is suppressed in exactly this way."""
    time = datetime.fromisoformat(now)
    if request.end <= time:
        raise RequestRefusedError(f"`until` must be in the future; got {request.until}")
    if request.end - time > MAX_SUPPRESSION:
        raise RequestRefusedError(f"`until` must be at most {MAX_SUPPRESSION.days} days ahead; got {request.until}")
    suppression = Suppression(
        by=SuppressedBy.PERSON, reason=request.reason.strip(), owner=cause.by, until=request.until
    )
    change = suppressed(finding, suppression, now, cause)
    return change if change.is_transition else None


def _unsuppressed(finding: Finding, now: str, cause: Cause) -> Change | None:
    """Return the change that ends the suppression of a finding; None if it is open."""
    if finding.status is Status.OPEN:
        return None
    suppression = finding.suppression
    if suppression is not None and suppression.by is SuppressedBy.EXCEPTION:
        raise RequestRefusedError(
            f"the exception {suppression.exception} suppresses the finding: remove it from guard.yaml and push that"
        )
    if suppression is not None and suppression.by is SuppressedBy.FUNCTION_TAG:
        raise RequestRefusedError("a tag of the function suppresses the finding: remove the tag")
    return reopened(replace(finding, suppression=None), now, cause)


def _target(arn: str, place: Arn) -> FindingTarget:
    """Return what a finding is about. RequestRefusedError if it is no function or role of the account."""
    try:
        target = finding_target(arn)
    except ValueError as error:
        raise RequestRefusedError(f"the request has no valid `target_arn`: {error}") from error
    if require_arn(arn).account != place.account:
        raise RequestRefusedError(f"{arn} is not of account {place.account}")
    return target


def _function(arn: str, place: Arn) -> FunctionTarget:
    """Return the function to check. RequestRefusedError if it is none of the account and region."""
    try:
        target, _ = parse_function_arn(arn)
    except ValueError as error:
        raise RequestRefusedError(f"the request has no valid `target_arn`: {error}") from error
    if (target.partition, target.region, target.account) != (place.partition, place.region, place.account):
        raise RequestRefusedError(f"{arn} is not a function of account {place.account} in {place.region}")
    return target
