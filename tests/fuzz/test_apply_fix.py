"""Mutated events to the function that applies fixes, in the mode that waits for approvals."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from permission_guard.model.arns import parse_function_arn
from permission_guard.model.findings import Transition
from tests.fakes import SQS_POLICY_ARN
from tests.fuzz.aws import FINDINGS, ORDERS, OTHERS, FakeAws, Write, function_arn
from tests.fuzz.harness import Fuzz, context, load, run, sqs_event
from tests.fuzz.material import bus_event, bus_events, finding_items, finding_of, good_items, items_of
from tests.fuzz.senders import good_event, store_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.fuzz.dynamodb import Item
    from tests.fuzz.mutations import Mutator

FINDING = finding_of(ORDERS)
PROPOSAL = 2
"""The revision of the fix that the function has proposed."""
APPROVAL = {
    "source": "permission-guard",
    "detail-type": "Fix Approved",
    "detail": {"id": FINDING.id, "function_arn": function_arn(ORDERS), "revision": PROPOSAL},
}


@cache
def proposal() -> tuple[Item, ...]:
    """Return the items of a finding with a proposed fix, as the function itself writes them."""
    aws = FUZZ.aws
    aws.start()
    for item in items_of([FINDING]):
        aws.tables.put(FINDINGS, item)
    load(FUZZ.function).handler(sqs_event({"opened": json.dumps(bus_event(FINDING))}), context(FUZZ.function))
    (stored,) = (item for item in aws.tables.items[FINDINGS].values() if item["sk"]["S"] == f"FINDING#{FINDING.id}")
    assert json.loads(stored["document"]["S"])["transition"] == Transition.FIX_PROPOSED
    return tuple(aws.tables.items[FINDINGS].values())


def mutate(mutator: Mutator) -> str:
    """Return a mutated approval or event of a finding; one in ten is an approval as it should be."""
    if mutator.random.random() < 0.1:
        return json.dumps(APPROVAL)
    return mutator.text(mutator.random.choice((APPROVAL, *bus_events())))


def prepare(aws: FakeAws, random: Random) -> None:
    """Store the findings, and the proposal."""
    store_findings(aws, random)
    for item in proposal():
        aws.tables.put(FINDINGS, dict(item))


def is_proposed(aws: FakeAws, number: int, _identifier: str) -> bool:
    """Return whether a fix of the good finding is proposed."""
    name = OTHERS[number]
    item = aws.tables.items[FINDINGS][f"FUNCTION#{function_arn(name)}", f"FINDING#{finding_of(name).id}"]
    return bool(json.loads(item["document"]["S"])["transition"] == Transition.FIX_PROPOSED)


def may_write(write: Write, payloads: Sequence[Any]) -> bool:
    """Return whether a call records a fix of a stored finding, or makes the change that a payload approves."""
    if write.operation == "iam:AttachRolePolicy":
        wanted = {"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN}
        return write.params == wanted and any(map(is_approval, payloads))
    if write.operation not in ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:TransactWriteItems"):
        return False
    requests = [next(iter(one.values())) for one in write.params.get("TransactItems", ())] or [write.params]
    keys = [one.get("Item") or one["Key"] for one in requests]
    stored = {item["pk"]["S"] for items in (finding_items(), *good_items().values()) for item in items}
    return all(key["pk"]["S"] in stored or key["pk"]["S"].startswith("FIXES#") for key in keys)


def is_approval(payload: str) -> bool:
    """Return whether a message approves the proposal."""
    try:
        event = json.loads(payload)
        detail = event["detail"]
        return (
            (event["source"], event["detail-type"]) == ("permission-guard", "Fix Approved")
            and (detail["id"], detail["revision"]) == (FINDING.id, PROPOSAL)
            and isinstance(detail["revision"], int)
            and parse_function_arn(detail["function_arn"])[0].arn == function_arn(ORDERS)
        )
    except (KeyError, TypeError, ValueError, RecursionError):
        return False


FUZZ = Fuzz(
    function="apply_fix",
    mutate=mutate,
    good=good_event,
    event=lambda payloads, _mutator, _aws: sqs_event(payloads),
    is_handled=is_proposed,
    may_write=may_write,
    prepare=prepare,
)


def test_no_message_stops_the_others(loaded: Callable[[Fuzz], Any]) -> None:
    """Every good message has a fix proposed, and nothing is attached without an approval of the proposal."""
    app = loaded(FUZZ)
    proposal()
    run(FUZZ, app)
