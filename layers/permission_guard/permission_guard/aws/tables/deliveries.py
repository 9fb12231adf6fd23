"""The delivery ledger in DynamoDB.

| attribute      | what                                                                                       |
|----------------|--------------------------------------------------------------------------------------------|
| `finding_id`   | hash key                                                                                   |
| `channel`      | range key: `sns`, `slack`, `ticket:opsitem`                                                |
| `revision`     | the last revision delivered; absent or 0 until the first one succeeds                      |
| `reference`    | what that delivery created, such as the id of an OpsItem                                   |
| `locked_until` | epoch milliseconds; absent while no delivery runs                                          |
| `locked_by`    | the token of the claim that holds the lock                                                 |
| `expires_at`   | epoch seconds, the table's TTL attribute; only on the records of findings that resolved    |

Each step is one conditional UpdateItem, so two invocations never both get the lock, and no stale read is possible.

A claim whose reply is lost must not find its own lock. The retries of the SDK send the same token, which may take the
lock again. If no try gets a reply, the lock is released. The token is not the message's id: SQS may deliver a message
to two invocations at the same time.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.aws.tables import schema
from permission_guard.delivery.ledger import LOCK_FOR, Claim, Delivery, Skip, skip_reason
from permission_guard.errors import ConflictError, error_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef

_CONDITION_FAILED = "ConditionalCheckFailedException"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_MINE = "locked_by = :token"
_FREE_OR_MINE = f"(attribute_not_exists(locked_until) OR locked_until <= :now OR {_MINE})"
_NEWER = "(attribute_not_exists(revision) OR revision < :revision)"


class DeliveryTable:
    """The DeliveryLedger of the deployed functions: one DynamoDB table."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def claim(self, finding_id: str, channel: str, revision: int, now: datetime) -> Claim | Skip:
        """Take the lock for one revision, or return why it is skipped."""
        until = now + LOCK_FOR
        token = uuid4().hex
        try:
            reply = self._dynamodb.update_item(
                TableName=self._name,
                Key=_key(finding_id, channel),
                # The record must not expire during its next delivery.
                UpdateExpression="SET locked_until = :until, locked_by = :token, #schema = :schema REMOVE expires_at",
                ConditionExpression=f"{_FREE_OR_MINE} AND {_NEWER}",
                ExpressionAttributeNames=schema.NAMES,
                ExpressionAttributeValues={
                    ":schema": schema.VERSION,
                    ":now": _milliseconds(now),
                    ":until": _milliseconds(until),
                    ":token": {"S": token},
                    ":revision": {"N": str(revision)},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except (BotoCoreError, ClientError) as error:
            held = _failed_condition(error)
            if held is None:
                with suppress(BotoCoreError, ClientError):  # the claim's error says more
                    self._unlock(finding_id, channel, token)
                raise
            skip = skip_reason(_delivery(held), revision, now)
            if skip is None:  # The reply had less than the item, so `skip_reason` disagrees with the condition.
                raise ConflictError(f"the delivery record of {finding_id} at {channel} changed meanwhile") from error
            return skip
        last = _delivery(reply["Attributes"])
        return Claim(
            finding_id=finding_id,
            channel=channel,
            revision=revision,
            token=token,
            locked_until=until,
            reference=last.reference,
            delivered=last.revision or 0,
        )

    def complete(self, claim: Claim, reference: str | None, expires_at: datetime | None) -> None:
        """Record the delivery and release the lock. ConflictError if another claim took the lock."""
        sets = ["revision = :revision"]
        values: dict[str, AttributeValueTypeDef] = {
            ":token": {"S": claim.token},
            ":revision": {"N": str(claim.revision)},
        }
        if reference is not None:
            sets.append("#reference = :reference")
            values[":reference"] = {"S": reference}
        if expires_at is not None:
            sets.append("expires_at = :expires_at")
            values[":expires_at"] = {"N": str(int(expires_at.timestamp()))}
        # REFERENCE is a reserved word, and a name that is not used is an error.
        names = {"#reference": "reference"} if reference is not None else {}
        update = f"SET {', '.join(sets)} REMOVE locked_until, locked_by"
        mine = self._update(_key(claim.finding_id, claim.channel), update, values, names)
        if not mine:
            raise ConflictError(
                f"the delivery of revision {claim.revision} of {claim.finding_id} to {claim.channel} took longer than "
                "its lock, and another invocation has taken over"
            )

    def release(self, claim: Claim) -> None:
        """Release the lock without a delivery. Does nothing if another claim has taken it."""
        self._unlock(claim.finding_id, claim.channel, claim.token)

    def _unlock(self, finding_id: str, channel: str, token: str) -> None:
        self._update(_key(finding_id, channel), "REMOVE locked_until, locked_by", {":token": {"S": token}})

    def repair(self, finding_id: str, channel: str, revision: int) -> None:
        """Forget a revision that the findings table never had. Does nothing if it changed meanwhile."""
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key=_key(finding_id, channel),
                UpdateExpression="REMOVE revision",
                ConditionExpression="revision = :revision",
                ExpressionAttributeValues={":revision": {"N": str(revision)}},
            )
        except ClientError as error:
            if _failed_condition(error) is None:
                raise

    def _update(
        self,
        key: Mapping[str, AttributeValueTypeDef],
        update: str,
        values: Mapping[str, AttributeValueTypeDef],
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """Write to a record if `:token` has its lock. Return whether it has."""
        request: UpdateItemInputTypeDef = {
            "TableName": self._name,
            "Key": key,
            "UpdateExpression": update,
            "ConditionExpression": _MINE,
            "ExpressionAttributeValues": values,
        }
        if names:
            request["ExpressionAttributeNames"] = names
        try:
            self._dynamodb.update_item(**request)
        except ClientError as error:
            if _failed_condition(error) is None:
                raise
            return False
        return True


def _key(finding_id: str, channel: str) -> dict[str, AttributeValueTypeDef]:
    return {"finding_id": {"S": finding_id}, "channel": {"S": channel}}


def _milliseconds(moment: datetime) -> AttributeValueTypeDef:
    return {"N": str((moment - _EPOCH) // _MILLISECOND)}


def _failed_condition(error: BotoCoreError | ClientError) -> Mapping[str, Any] | None:
    """Return the item that failed the condition, None if it is another error."""
    if isinstance(error, BotoCoreError) or error_code(error) != _CONDITION_FAILED:
        return None
    response: Mapping[str, Any] = error.response
    item: Mapping[str, Any] = response.get("Item", {})
    return item


def _delivery(item: Mapping[str, Any]) -> Delivery:
    """Read a record. DynamoDB returns numbers as strings."""
    locked_until = item.get("locked_until")
    return Delivery(
        revision=int(item["revision"]["N"]) if "revision" in item else None,
        reference=item["reference"]["S"] if "reference" in item else None,
        locked_until=_EPOCH + int(locked_until["N"]) * _MILLISECOND if locked_until else None,
    )
