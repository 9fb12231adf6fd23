"""Mutated requests to the function that records decisions about fixes, with signatures that AWS STS accepts or not."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError, SSLError

from permission_guard.aws.readers import caller
from permission_guard.errors import UNREADABLE, RetryableError
from permission_guard.model.findings import Status, Transition
from tests import sts
from tests.fakes import ACCOUNT, REGION
from tests.fuzz.aws import DECIDE_FIX_ARN, DECISIONS, FINDINGS, ORDERS, OTHERS, SESSION_TOKEN, FakeAws, Write
from tests.fuzz.harness import Fuzz, FuzzError, one_by_one, run
from tests.fuzz.material import DOCUMENTS, KEYS, fixed, items_of, proposed
from tests.fuzz.mutations import Mutator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from permission_guard.model.findings import Finding

JSON = Any
PROPOSALS: Final = tuple(proposed(ORDERS, number) for number in range(6))
SIGNED: Final = ("kind", "finding_id", "function_arn", "revision", "plan_hash", "nonce")
"""What of a request its signature covers; and the reason of an undo, if there is one."""

_PAGE: Final = "<html><body>Bad gateway</body></html>"
_WITHOUT_ARN: Final = re.sub("<Arn>.*</Arn>", "", sts.ANSWER)
FAULTS: Final[tuple[Exception | tuple[int, str], ...]] = (
    EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
    ReadTimeoutError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
    ConnectionClosedError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
    SSLError(endpoint_url="https://sts.us-east-1.amazonaws.com/", error=ssl.SSLError("certificate")),
    (500, ""), (503, _PAGE), (429, ""), (302, ""), (403, _PAGE), (200, ""), (200, _PAGE), (200, "{}"),
    (200, sts.ANSWER[:100]), (200, _WITHOUT_ARN), (200, sts.ANSWER.format(arn="")),
    (400, sts.ERROR.format(code="Throttling")), (403, sts.ERROR.replace("<Code>{code}</Code>", "")),
)  # fmt: skip
CALLERS: Final = (
    *[sts.CALLER] * 6,
    f"arn:aws:iam::{ACCOUNT}:root",
    "arn:aws:iam::111122223333:user/eve",
    "arn:aws:sts::111122223333:assumed-role/platform/jane",
)


@dataclass(frozen=True)
class Call:
    """An invocation of the function: its event, who the signer is, and what STS answers instead, if anything."""

    event: JSON
    caller: str = sts.CALLER
    fault: Exception | tuple[int, str] | None = None


class Session:
    """Stands for botocore's HTTP session: STS in memory, which checks the signature as AWS documents it."""

    server = sts.Sts("")
    fault: Exception | tuple[int, str] | None = None

    def __init__(self, **_options: Any) -> None:
        pass

    def send(self, request: Any) -> Any:
        """Answer a request."""
        if isinstance(self.fault, Exception):
            raise self.fault
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        headers["host"] = urlsplit(request.url).netloc
        status, text = self.fault or self.server.answer(headers, request.body.encode())
        return SimpleNamespace(status_code=status, headers={}, content=text.encode())


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

issued: dict[str, tuple[JSON, JSON]] = {}
"""What each signature was made for: the signed fields, and the headers."""


def request_of(finding: Finding, kind: str, nonce: int) -> dict[str, JSON]:
    """Return a request as the command line makes it."""
    assert finding.fix is not None
    return {
        "kind": kind,
        "finding_id": finding.id,
        "function_arn": finding.function_arn,
        "revision": finding.revision,
        "plan_hash": finding.fix.plan_hash,
        "nonce": f"{nonce:032x}",
    }


def signed(request: JSON) -> JSON:
    """Return a request with a valid signature of whatever it says."""
    if not isinstance(request, dict):
        return request
    fields = {name: request.get(name) for name in SIGNED}
    if request.get("kind") == "undo" and request.get("reason", "") != "":
        fields["reason"] = request["reason"]
    text = json.dumps({**fields, "audience": DECIDE_FIX_ARN}, sort_keys=True)
    headers = {
        "Content-Type": caller.CONTENT_TYPE,
        caller.SIGNED_HEADER: hashlib.sha256(text.encode()).hexdigest(),
    }
    url = caller.sts_url(REGION)
    prepared: Any = AWSRequest(method="POST", url=url, data=caller.BODY, headers=headers)
    SigV4Auth(Credentials(sts.KEY_ID, sts.SECRET, SESSION_TOKEN), "sts", REGION).add_auth(prepared)
    names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    signature = {name.lower(): prepared.headers[name] for name in names}
    issued[signature["authorization"][-64:]] = fields, signature
    return {**request, "signature": signature}


def changed(mutator: Mutator, document: JSON) -> JSON:
    """Return a mutated document: Lambda passes on nothing else than JSON."""
    while True:
        try:
            return json.loads(mutator.text(document))
        except (ValueError, RecursionError):
            continue


def mutate(mutator: Mutator) -> Call:
    """Return a request about a proposal: as it should be, mutated then signed, signed then mutated, or of no date."""
    random = mutator.random
    request = request_of(
        random.choice(PROPOSALS), random.choice(("approve", "reject", "undo")), random.getrandbits(128)
    )
    if request["kind"] == "undo" and random.random() < 0.5:
        request["reason"] = "Orders must not read it"
    share = random.random()
    if share < 0.2:
        event = signed(request)
    elif share < 0.6:
        event = signed(changed(mutator, request))
    elif share < 0.65:
        event = signed(request)
        event["signature"]["x-amz-date"] = random.choice(("20261340T000000Z", "00000101T000000Z", "20260230T000000Z"))
    else:
        event = changed(mutator, signed(request))
    return Call(event, random.choice(CALLERS), random.choice(FAULTS) if random.random() < 0.15 else None)


def good(number: int) -> Call:
    """Return an approval of the proposal of another function."""
    return Call(signed(request_of(proposed(OTHERS[number]), "approve", number)))


def prepare(aws: FakeAws, random: Random) -> None:
    """Store the proposals; some do not wait, some are damaged, and some have a damaged decision."""
    mutator = Mutator(random)
    for item in items_of([random.choice(others_of(finding)) for finding in PROPOSALS]):
        aws.tables.put(FINDINGS, mutator.item(item, KEYS, DOCUMENTS) if random.random() < 0.2 else item)
    for item in items_of([proposed(name) for name in OTHERS]):
        aws.tables.put(FINDINGS, item)
    for finding in PROPOSALS:
        if random.random() < 0.1:
            aws.tables.put(DECISIONS, mutator.item(decision_of(finding), ("finding_id", "revision"), ()))


def others_of(finding: Finding) -> tuple[Finding, ...]:
    """Return a proposal that waits, mostly, and the finding in other states at the same revision."""
    assert finding.fix is not None
    return (
        *[finding] * 9,
        *[replace(fixed(ORDERS), id=finding.id, subject=finding.subject)] * 5,
        replace(fixed(ORDERS), id=finding.id, subject=finding.subject, status=Status.RESOLVED),
        replace(finding, status=Status.RESOLVED),
        replace(finding, transition=Transition.REOPENED),
        replace(finding, fix=replace(finding.fix, approve="")),
        replace(finding, fix=replace(finding.fix, name="another")),
        replace(finding, revision=3),
        replace(finding, fix=None),
    )


def decision_of(finding: Finding) -> dict[str, Any]:
    """Return the item of an approval."""
    assert finding.fix is not None
    texts = {
        "finding_id": finding.id,
        "decision": "approve",
        "plan_hash": finding.fix.plan_hash,
        "decided_by": sts.CALLER,
        "decided_at": finding.changed_at,
        "nonce": "0" * 32,
    }
    return {"revision": {"N": str(finding.revision)}, **{name: {"S": text} for name, text in texts.items()}}


# ── What must hold ──────────────────────────────────────────────────────────────────────────────────────────────────


def is_proven(call: Call) -> bool:
    """Return whether the caller of the function's account signed exactly this request."""
    try:
        fields, signature = issued[call.event["signature"]["authorization"][-64:]]
        given = [call.event["signature"].get(name, "") for name in signature]
        account, function_account = (arn.split(":")[4] for arn in (call.caller, call.event["function_arn"]))
    except UNREADABLE:
        return False
    is_signed = json.dumps([call.event.get(name) for name in SIGNED]) == json.dumps([fields[name] for name in SIGNED])
    if call.event.get("kind") == "undo":
        is_signed &= json.dumps(call.event.get("reason", "")) == json.dumps(fields.get("reason", ""))
    return (
        call.fault is None
        and is_signed
        and json.dumps(given).replace(" ", "") == json.dumps(list(signature.values())).replace(" ", "")
        and account == function_account
    )


def waits(event: JSON) -> bool:
    """Return whether a request is about exactly the proposal that waits, or the applied fix, as the table has it."""
    try:
        key = (f"FUNCTION#{event['function_arn']}", f"FINDING#{event['finding_id']}")
        document = json.loads(FUZZ.aws.tables.items[FINDINGS][key]["document"]["S"])
        fix = document["fix"]
        parts = ("change", "calls", "before", "expected", "rests_on") if fix.get("calls") else ("change",)
        plan = json.dumps({"fix": fix["name"], **{part: fix[part] for part in parts}}, sort_keys=True)
        stored = (document["function_arn"], document["revision"], hashlib.sha256(plan.encode()).hexdigest())
        is_waiting = (document["status"], document["transition"]) == ("open", "Fix Proposed") and fix["approve"] != ""
        if event["kind"] == "undo":
            is_waiting = fix["result"] == "applied" and bool(fix.get("calls"))
        return is_waiting and stored == (event["function_arn"], event["revision"], event["plan_hash"])
    except UNREADABLE:
        return False


def decided(call: Call) -> dict[str, Any]:
    """Return the attributes of the decision that a request is about."""
    event = call.event
    item = FUZZ.aws.tables.items[DECISIONS].get((event["finding_id"], str(event["revision"])), {})
    return {name: item.get(name, {}).get("S") for name in ("decision", "plan_hash", "decided_by", "nonce")}


def invoke(app: Any, call: Call, context: Any) -> bool:
    """Invoke the function; return whether it says that the decision is recorded. FuzzError if it must not be."""
    Session.server.caller, Session.fault = call.caller, call.fault
    writes, may_record = len(FUZZ.aws.writes), is_proven(call) and waits(call.event)
    try:
        answer = app.handler(call.event, context)
    except RetryableError as error:
        if call.fault is None:
            raise FuzzError(f"decide_fix raised {error!r:.500}") from error
        return False
    if len(FUZZ.aws.writes) > writes:
        given = {"decision": call.event["kind"], "decided_by": call.caller, **{n: call.event[n] for n in SIGNED[4:]}}
        if not (may_record and answer["recorded"] and decided(call) == given):
            raise FuzzError(f"recorded: {FUZZ.aws.writes[writes:]!r:.2000}")
    elif answer["recorded"]:
        before = decided(call)
        if not is_proven(call) or [before[name] for name in ("decision", "plan_hash")] != [
            call.event[name] for name in ("kind", "plan_hash")
        ]:
            raise FuzzError(f"decide_fix says that it is recorded: {answer}")
    return bool(answer["recorded"])


def is_recorded(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether the good approval is recorded, and the finding has the transition."""
    finding = proposed(OTHERS[number])
    item = aws.tables.items[FINDINGS][f"FUNCTION#{finding.function_arn}", f"FINDING#{finding.id}"]
    return (finding.id, "2") in aws.tables.items[DECISIONS] and "Fix Approved" in item["document"]["S"]


def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
    """Return whether a call writes a finding with its transition, and the decision; `invoke` checks their content."""
    if write.operation != "dynamodb:TransactWriteItems":
        return False
    finding, transition, decision = (one["Put"] for one in write.params["TransactItems"])
    return (
        [one["TableName"] for one in (finding, transition, decision)] == [FINDINGS, FINDINGS, DECISIONS]
        and finding["Item"]["sk"]["S"] == f"FINDING#{decision['Item']['finding_id']['S']}"
        and transition["Item"]["sk"]["S"].startswith(f"HISTORY#{decision['Item']['finding_id']['S']}#")
    )


FUZZ = Fuzz(
    function="decide_fix",
    mutate=mutate,
    good=good,
    event=lambda payloads, _mutator, _aws: payloads,
    is_handled=is_recorded,
    may_write=may_write,
    prepare=prepare,
)


@pytest.mark.filterwarnings("ignore:No application metrics")  # of an invocation that a fault of STS ended
def test_nothing_is_recorded_but_what_a_proven_caller_decides(
    loaded: Callable[[Fuzz], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is exactly the proposal that waits; otherwise the reason is returned, or the fault of STS raised."""
    app = loaded(FUZZ)
    monkeypatch.setattr(caller, "URLLib3Session", Session)
    run(FUZZ, one_by_one(app, invoke))
