"""What stops all fixing, in the decisions table.

| `finding_id`      | `revision` | content                                                                             |
|-------------------|------------|-------------------------------------------------------------------------------------|
| FIXING            | 0          | the switch: what people set last. `state`, `reason`, `set_by`, `set_at`, `nonce`,   |
|                   |            | and the `opening` of the breaker that was ended with it                             |
| REQUEST#(nonce)   | 0          | each request to set it, with the same attributes; expires after 90 days             |
| BREAKER           | 0          | the breaker: `failed` and `opened_by`, fixes as texts (time and key), and `number`, |
|                   |            | how often it was written                                                            |

Only `decide_fix` writes the first two, and only `apply_fix` writes BREAKER: its role allows it this key, and those of
`own_fixes.py`, and no other.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.tables import schema
from permission_guard.aws.tables.decisions import KEEP_DECISIONS
from permission_guard.errors import ConflictError, error_code
from permission_guard.fixes.stop import Breaker, FailedFix, Switch, SwitchState
from permission_guard.iam.arn import require_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

SWITCH: Final = "FIXING"
BREAKER: Final = "BREAKER"

_IS_NEW: Final = "attribute_not_exists(finding_id)"


class StopTable:
    """The SwitchStore and the BreakerStore of the deployed functions. Reads are consistent."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def switch(self) -> Switch | None:
        """Return what people set last, None if nobody has. One of UNREADABLE if the item is not a switch."""
        return self._switch(SWITCH)

    def request(self, nonce: str) -> Switch | None:
        """Return what the request with a nonce asked for, None if no such request was recorded."""
        return self._switch(f"REQUEST#{nonce}")

    def breaker(self) -> Breaker:
        """Return the breaker. One of UNREADABLE if the item is not a breaker."""
        item = self._item(BREAKER)
        if item is None:
            return Breaker()
        return Breaker(_fixes(item["failed"]["L"]), _fixes(item["opened_by"]["L"]), int(item["number"]["N"]))

    def put_breaker(self, breaker: Breaker) -> None:
        """Write the breaker. ConflictError if the one before it in number is not the recorded one."""
        item: Any = {
            **_key(BREAKER),
            **schema.ATTRIBUTE,
            "failed": _texts(breaker.failed),
            "opened_by": _texts(breaker.opened_by),
            "number": {"N": str(breaker.number)},
        }
        condition: Any = {"ConditionExpression": _IS_NEW}
        if breaker.number > 1:
            condition = {
                "ConditionExpression": "#number = :before",
                "ExpressionAttributeNames": {"#number": "number"},
                "ExpressionAttributeValues": {":before": {"N": str(breaker.number - 1)}},
            }
        try:
            self._dynamodb.put_item(TableName=self._name, Item=item, **condition)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            raise ConflictError("another fix was counted meanwhile") from error

    def record(self, request: Switch, *, is_set: bool, replaced: str | None) -> None:
        """Write a request and, if `is_set`, the switch. ConflictError if one of them was written meanwhile."""
        expires_at = int((datetime.fromisoformat(request.at) + KEEP_DECISIONS).timestamp())
        entry = {**_attributes(f"REQUEST#{request.nonce}", request), "expires_at": {"N": str(expires_at)}}
        writes: list[Any] = [{"Put": {"TableName": self._name, "Item": entry, "ConditionExpression": _IS_NEW}}]
        if is_set:
            put: dict[str, Any] = {"TableName": self._name, "Item": _attributes(SWITCH, request)}
            if replaced:
                put["ConditionExpression"] = "nonce = :replaced"
                put["ExpressionAttributeValues"] = {":replaced": {"S": replaced}}
            elif replaced is not None:
                put["ConditionExpression"] = _IS_NEW
            writes.append({"Put": put})
        try:
            self._dynamodb.transact_write_items(TransactItems=writes)
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if codes & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise ConflictError("another request was recorded meanwhile") from error
            raise

    def _switch(self, name: str) -> Switch | None:
        item = self._item(name)
        if item is None:
            return None
        switch = Switch(
            state=SwitchState(item["state"]["S"]),
            reason=item["reason"]["S"],
            by=item["set_by"]["S"],
            at=_time(item["set_at"]["S"]),
            nonce=item["nonce"]["S"],
            opening=item["opening"]["S"],
        )
        require_arn(switch.by)
        return switch

    def _item(self, name: str) -> Mapping[str, Any] | None:
        return self._dynamodb.get_item(TableName=self._name, Key=_key(name), ConsistentRead=True).get("Item")


def _attributes(name: str, switch: Switch) -> Any:
    return {
        **_key(name),
        **schema.ATTRIBUTE,
        "state": {"S": switch.state},
        "reason": {"S": switch.reason},
        "set_by": {"S": switch.by},
        "set_at": {"S": switch.at},
        "nonce": {"S": switch.nonce},
        "opening": {"S": switch.opening},
    }


def _texts(fixes: Sequence[FailedFix]) -> Any:
    return {"L": [{"S": f"{fix.at} {fix.key}"} for fix in fixes]}


def _fixes(texts: Sequence[Mapping[str, str]]) -> tuple[FailedFix, ...]:
    parts = (text["S"].split(" ") for text in texts)
    return tuple(FailedFix(_time(at), key) for at, key in parts)


def _time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"not a time in UTC: {text!r:.50}")
    return text


def _key(name: str) -> Any:
    return {"finding_id": {"S": name}, "revision": {"N": "0"}}
