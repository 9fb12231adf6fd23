"""What the two checkers have in common for the harness."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from permission_guard.model.arns import parse_function_arn
from tests.fuzz.aws import CHECK_QUEUE, FINDINGS, FUNCTIONS, OTHERS, FakeAws, Write, function_arn
from tests.fuzz.harness import Fuzz, sqs_event
from tests.fuzz.material import (
    DOCUMENTS,
    KEYS,
    check_items,
    cloudtrail_events,
    finding_items,
    good_items,
    role_items,
    sample,
)
from tests.fuzz.mutations import Mutator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from permission_guard.model.targets import Direction


def checker(function: str, direction: Direction, *changes: str) -> Fuzz:
    """Return how a checker is fuzzed. `changes` are the samples of good messages, whose function is replaced."""

    def good(number: int) -> str:
        name = OTHERS[number]
        if number == 0:
            return json.dumps(
                {
                    "source": "permission-guard",
                    "detail-type": "Check Requested",
                    "detail": {"functions": [function_arn(name)]},
                }
            )
        change = changes[number % len(changes)]
        named = {"roleName": f"{name}-role"} if "role" in change else {"functionName": name}
        return json.dumps(sample(change, **named))

    def is_handled(aws: FakeAws, number: int, _identifier: str) -> bool:
        items = aws.tables.items[FINDINGS]
        pk = f"FUNCTION#{function_arn(OTHERS[number])}"
        return "checked_at" in items[pk, f"CHECK#{direction}"] and any(
            key[0] == pk and key[1].startswith("FINDING#") for key in items
        )

    def may_write(write: Write, _payloads: Sequence[Any]) -> bool:
        if write.operation == "sqs:SendMessageBatch":
            return write.params["QueueUrl"] == CHECK_QUEUE and all(
                json.loads(entry["MessageBody"])["detail-type"] == "Check Requested"
                for entry in write.params["Entries"]
            )
        if write.operation == "dynamodb:UpdateItem":
            return _is_check(write.params, direction)
        if write.operation != "dynamodb:TransactWriteItems":
            return False
        return all(
            _is_check(action["Update"], direction) if "Update" in action else _may_put(action["Put"]["Item"])
            for action in write.params["TransactItems"]
        )

    return Fuzz(
        function=function,
        mutate=lambda mutator: mutator.text(mutator.random.choice(cloudtrail_events())),
        good=good,
        event=lambda payloads, _mutator, _aws: sqs_event(payloads),
        is_handled=is_handled,
        may_write=may_write,
        prepare=_prepare,
    )


def _prepare(aws: FakeAws, random: Random) -> None:
    """Store what earlier checks left; half of the time some of the function orders is damaged."""
    mutator = Mutator(random)
    for item in (*finding_items(), *check_items(), *role_items()):
        is_damaged = random.random() < 0.2 and "document" in item
        aws.tables.put(FINDINGS, mutator.item(item, KEYS, DOCUMENTS) if is_damaged else dict(item))
    for items in good_items().values():
        for item in items:
            aws.tables.put(FINDINGS, dict(item))
    if random.random() < 0.5:
        del aws.tables.items[FINDINGS]["ROLES", "COMPLETE"]


def _is_check(request: Any, direction: Direction) -> bool:
    key = request["Key"]
    return _is_function(key["pk"]["S"]) and key["sk"]["S"] == f"CHECK#{direction}"


def _may_put(item: Any) -> bool:
    """Return whether an item is an entry of the index, or a finding about a function of the account.

    A denied call can be about a function that could not be created.
    """
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    if pk == "ROLES":
        return bool(sk.startswith("ROLE#"))
    if not _is_function(pk):
        return False
    if "document" in item and json.loads(item["document"]["S"])["rule_id"] == "PG213":
        return True
    return parse_function_arn(pk.removeprefix("FUNCTION#"))[0].name in FUNCTIONS


def _is_function(pk: str) -> bool:
    return pk.startswith("FUNCTION#") and parse_function_arn(pk.removeprefix("FUNCTION#"))[1] is None
