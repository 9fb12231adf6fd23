"""Mutated requests to the function that manages findings, with signatures that AWS STS accepts or not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from permission_guard.aws.readers import caller
from permission_guard.errors import UNREADABLE, RetryableError
from permission_guard.model.findings import Status
from permission_guard.model.suppressions import SuppressedBy, Suppression
from tests import sts
from tests.fakes import REGION
from tests.fuzz.aws import (
    CHECK_QUEUE,
    FINDINGS,
    MANAGE_FINDINGS_ARN,
    ORDERS,
    OTHER_QUEUE,
    OTHERS,
    SESSION_TOKEN,
    FakeAws,
    Write,
)
from tests.fuzz.harness import Fuzz, FuzzError, one_by_one, run
from tests.fuzz.material import DOCUMENTS, KEYS, finding_of, items_of
from tests.fuzz.mutations import Mutator
from tests.fuzz.test_decide_fix import CALLERS, FAULTS, Session, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from permission_guard.model.findings import Finding

JSON = Any
FIELDS: Final = {
    "suppress": ("finding_id", "target_arn", "until", "reason"),
    "unsuppress": ("finding_id", "target_arn"),
    "recheck": ("target_arn",),
    "test-message": (),
}
"""What each kind of request has besides its kind and nonce."""

SENDERS: Final = ("send_alert", "open_ticket")
UNTIL: Final = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")
SUPPRESSION: Final = Suppression(by=SuppressedBy.PERSON, reason="accepted", owner=sts.CALLER, until=UNTIL)
RECORDED: Final = tuple(finding_of(ORDERS, number) for number in range(6))


@dataclass(frozen=True)
class Call:
    """An invocation of the function: its event, who the signer is, and what STS answers instead, if anything."""

    event: JSON
    caller: str = sts.CALLER
    fault: Exception | tuple[int, str] | None = None


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

issued: dict[str, tuple[JSON, JSON]] = {}
"""What each signature was made for: the signed fields, and the headers."""


def request_of(finding: Finding, kind: str, nonce: int) -> dict[str, JSON]:
    """Return a request as the command line makes it."""
    values = {
        "finding_id": finding.id,
        "target_arn": finding.target_arn,
        "until": UNTIL,
        "reason": f"Public on purpose, decided in {nonce}",
    }
    return {"kind": kind, "nonce": f"{nonce:032x}", **{name: values[name] for name in FIELDS[kind]}}


def signed_fields(event: JSON) -> dict[str, JSON]:
    """Return what a signature of a request covers: the fields of its kind."""
    kind = event.get("kind")
    own = FIELDS.get(kind, ()) if isinstance(kind, str) else ()
    names = ("kind", "nonce", "finding_id", "target_arn", "until", "reason")
    return {name: event.get(name) if name in own or name in names[:2] else "" for name in names}


def signed(request: JSON) -> JSON:
    """Return a request with a valid signature of whatever it says."""
    if not isinstance(request, dict):
        return request
    fields = signed_fields(request)
    text = json.dumps({**fields, "audience": MANAGE_FINDINGS_ARN}, sort_keys=True)
    headers = {"Content-Type": caller.CONTENT_TYPE, caller.SIGNED_HEADER: hashlib.sha256(text.encode()).hexdigest()}
    prepared: Any = AWSRequest(method="POST", url=caller.sts_url(REGION), data=caller.BODY, headers=headers)
    SigV4Auth(Credentials(sts.KEY_ID, sts.SECRET, SESSION_TOKEN), "sts", REGION).add_auth(prepared)
    names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    signature = {name.lower(): prepared.headers[name] for name in names}
    issued[signature["authorization"][-64:]] = fields, signature
    return {**request, "signature": signature}


def mutate(mutator: Mutator) -> Call:
    """Return a request: as it should be, mutated then signed, or signed then mutated."""
    random = mutator.random
    request = request_of(random.choice(RECORDED), random.choice(list(FIELDS)), random.getrandbits(64))
    share = random.random()
    if share < 0.25:
        event = signed(request)
    elif share < 0.65:
        event = signed(changed(mutator, request))
    else:
        event = changed(mutator, signed(request))
    return Call(event, random.choice(CALLERS), random.choice(FAULTS) if random.random() < 0.1 else None)


def good(number: int) -> Call:
    """Return a request to suppress the finding of another function."""
    return Call(signed(request_of(finding_of(OTHERS[number]), "suppress", number)))


def prepare(aws: FakeAws, random: Random) -> None:
    """Store the findings; some are suppressed or resolved, and some are damaged."""
    mutator = Mutator(random)
    for item in items_of([random.choice(others_of(finding)) for finding in RECORDED]):
        aws.tables.put(FINDINGS, mutator.item(item, KEYS, DOCUMENTS) if random.random() < 0.2 else item)
    for item in items_of([finding_of(name) for name in OTHERS]):
        aws.tables.put(FINDINGS, item)


def others_of(finding: Finding) -> tuple[Finding, ...]:
    """Return an open finding, mostly, and the finding in other states."""
    return (
        *[finding] * 5,
        replace(finding, status=Status.SUPPRESSED, suppression=SUPPRESSION),
        replace(finding, status=Status.SUPPRESSED, suppression=replace(SUPPRESSION, by=SuppressedBy.EXCEPTION)),
        replace(finding, status=Status.SUPPRESSED, suppression=None),
        replace(finding, status=Status.RESOLVED),
    )


# ── What must hold ──────────────────────────────────────────────────────────────────────────────────────────────────


def is_proven(call: Call) -> bool:
    """Return whether the caller of the function's account signed exactly this request."""
    try:
        fields, signature = issued[call.event["signature"]["authorization"][-64:]]
        given = [call.event["signature"].get(name, "") for name in signature]
        accounts = {arn.split(":")[4] for arn in (call.caller, MANAGE_FINDINGS_ARN)}
        is_signed = json.dumps(signed_fields(call.event)) == json.dumps(fields)
    except UNREADABLE:
        return False
    is_same = json.dumps(given).replace(" ", "") == json.dumps(list(signature.values())).replace(" ", "")
    return call.fault is None and is_signed and is_same and len(accounts) == 1


def stored(event: JSON) -> Any:
    """Return the document of the finding that a request names."""
    item = FUZZ.aws.tables.items[FINDINGS][f"FUNCTION#{event['target_arn']}", f"FINDING#{event['finding_id']}"]
    return json.loads(item["document"]["S"])


def is_as_requested(call: Call, write: Write) -> bool:
    """Return whether a call is what a request may cause, with the values that its caller signed."""
    event = call.event
    if write.operation == "lambda:Invoke":
        test = json.loads(write.params["Payload"])["detail"]
        is_own = (test["id"], test["by"]) == (event["nonce"], call.caller)
        return bool(event["kind"] == "test-message" and is_own and write.params["FunctionName"] in SENDERS)
    if write.operation == "sqs:SendMessageBatch":
        (entry,) = write.params["Entries"]
        detail, queue = json.loads(entry["MessageBody"])["detail"], write.params["QueueUrl"]
        is_own = detail["functions"] == [":".join(event["target_arn"].split(":")[:7])]
        return bool(event["kind"] == "recheck" and is_own and queue in (CHECK_QUEUE, OTHER_QUEUE))
    document = stored(event)
    if event["kind"] == "unsuppress":
        return bool(document["status"] == "open" and document["suppression"] is None)
    given = {"owner": call.caller, "until": event["until"], "reason": event["reason"].strip(), "by": "person"}
    return bool(event["kind"] == "suppress" and document["suppression"] == {**given, "exception": ""})


def invoke(app: Any, call: Call, context: Any) -> bool:
    """Invoke the function; return whether it says that the request is done. FuzzError if it must not be."""
    Session.server.caller, Session.fault = call.caller, call.fault
    writes, proven = len(FUZZ.aws.writes), is_proven(call)
    try:
        answer = app.handler(call.event, context)
    except RetryableError as error:
        if call.fault is None:
            raise FuzzError(f"manage_findings raised {error!r:.500}") from error
        return False
    written = FUZZ.aws.writes[writes:]
    if answer["done"] and not proven:
        raise FuzzError(f"manage_findings says that it is done: {answer}")
    if written and not (answer["done"] and all(is_as_requested(call, one) for one in written)):
        raise FuzzError(f"written: {written!r:.2000}")
    if not answer["done"] and not isinstance(answer["reason"], str):
        raise FuzzError(f"no reason: {answer}")
    return bool(answer["done"])


def is_suppressed(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether the finding of the good request is suppressed."""
    finding = finding_of(OTHERS[number])
    item = aws.tables.items[FINDINGS][f"FUNCTION#{finding.function_arn}", f"FINDING#{finding.id}"]
    return bool(item["status"] == {"S": "suppressed"})


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call is one of those that the function's role allows; `invoke` checks their content."""
    if write.operation == "dynamodb:TransactWriteItems":
        finding, transition = (one["Put"] for one in write.params["TransactItems"])
        is_pair = transition["Item"]["sk"]["S"].startswith(finding["Item"]["sk"]["S"].replace("FINDING", "HISTORY"))
        return bool(is_pair and finding["TableName"] == transition["TableName"] == FINDINGS)
    return write.operation in ("sqs:SendMessageBatch", "lambda:Invoke")


FUZZ = Fuzz(
    function="manage_findings",
    mutate=mutate,
    good=good,
    event=lambda payloads, _mutator, _aws: payloads,
    is_handled=is_suppressed,
    may_write=may_write,
    prepare=prepare,
)


@pytest.mark.filterwarnings("ignore:No application metrics")  # of an invocation that a fault of STS ended
def test_nothing_is_done_but_what_a_proven_caller_requests(
    loaded: Callable[[Fuzz], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write has the signed values; otherwise the reason is returned, or the fault of STS raised."""
    app = loaded(FUZZ)
    monkeypatch.setattr(caller, "URLLib3Session", Session)
    run(FUZZ, one_by_one(app, invoke))
