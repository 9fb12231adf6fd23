"""Observe the deployed bot from outside: its findings table, its alerts, its OpsItems and findings in Security Hub."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from sandbox.client.process import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.client.process import Sandbox

DEADLINE = 60.0
"""How many seconds to wait for an expected result, with cold starts, on a machine that runs other tests beside it. What
must be faster has a deadline of its own."""

QUIET = 3.0
"""For how many seconds no check is recorded after the last one, with a grace period of a second."""
PAUSE = 0.25

Finding = dict[str, Any]
OpsItem = dict[str, Any]


class Watcher:
    """Read what an owner of the account can read. `outputs` has the outputs of the stack."""

    def __init__(self, aws: Sandbox, outputs: Mapping[str, str]) -> None:
        self._dynamodb, self._ssm, self._sqs = aws.client("dynamodb"), aws.client("ssm"), aws.client("sqs")
        self._securityhub = aws.client("securityhub")
        self.table = outputs["FindingsTableName"]
        self._inbox = self._subscribe(aws, outputs["AlertTopicArn"])
        self._alerts: list[dict[str, Any]] = []

    def _subscribe(self, aws: Sandbox, topic_arn: str) -> str:
        """Create a queue of its own that gets every alert."""
        url = self._sqs.create_queue(QueueName=f"alert-inbox-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        aws.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        return str(url)

    def findings(self, target_arn: str | None = None) -> list[Finding]:
        """Return the recorded findings of one function or role, or all findings."""
        if target_arn is None:
            pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        else:
            kind, about = "ROLE" if ":role/" in target_arn else "FUNCTION", ":".join(target_arn.split(":")[:7])
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self.table,
                KeyConditionExpression="pk = :target AND begins_with(sk, :findings)",
                ExpressionAttributeValues={":target": {"S": f"{kind}#{about}"}, ":findings": {"S": "FINDING#"}},
                ConsistentRead=True,
            )
        items = (item for page in pages for item in page["Items"] if item["sk"]["S"].startswith("FINDING#"))
        found = [json.loads(item["document"]["S"]) for item in items]
        return [one for one in found if target_arn is None or (one["role_arn"] or one["function_arn"]) == target_arn]

    def finding(
        self,
        target_arn: str,
        rule_id: str,
        so_far: Callable[[Finding], bool] = lambda _: True,
        *,
        what: str = "",
        deadline: float = DEADLINE,
    ) -> Finding:
        """Wait for a finding of a rule for which `so_far` is true. A TimeoutError notes what was found instead."""

        def probe() -> Finding | None:
            found = self.findings(target_arn)
            return next((one for one in found if one["rule_id"] == rule_id and so_far(one)), None)

        try:
            return poll(probe, deadline=deadline, what=f"{rule_id} of {target_arn} {what}".strip())
        except TimeoutError as error:
            for one in self.findings(target_arn):
                summary = one["fix"]["summary"] if one["fix"] else ""
                error.add_note(f"{one['rule_id']}: {one['transition']}: {one['reason']} {summary}".rstrip())
            raise

    def checked(self, function_arn: str, direction: str, *, more_than: int = 0, deadline: float = DEADLINE) -> int:
        """Wait until a check of a function is recorded, and return its number."""
        key = {"pk": {"S": f"FUNCTION#{function_arn}"}, "sk": {"S": f"CHECK#{direction}"}}

        def probe() -> int:
            item = self._dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
            written = int(item.get("written", {"N": "0"})["N"])
            return written if written > more_than else 0

        return poll(probe, deadline=deadline, what=f"check of {function_arn} ({direction})")

    def settled(self, function_arn: str, direction: str, *, quiet: float = QUIET, deadline: float = DEADLINE) -> None:
        """Wait until no check of a function was recorded for some seconds: also the delayed ones are over then."""
        until, number, since = time.monotonic() + deadline, 0, time.monotonic()
        while time.monotonic() - since < quiet:
            now = self.checked(function_arn, direction, deadline=deadline)
            if now != number:
                number, since = now, time.monotonic()
            if time.monotonic() > until:
                raise TimeoutError(f"checks of {function_arn} ({direction}) do not end after {deadline:g} s")
            time.sleep(PAUSE)

    def alert(self, finding_id: str, transition: str, *, deadline: float = DEADLINE) -> dict[str, Any]:
        """Wait for the alert of a finding's transition, and return the notification that SNS sent."""

        def probe() -> dict[str, Any] | None:
            self._read_inbox()
            for alert in self._alerts:
                reported = alert.get("MessageAttributes", {}).get("transition", {}).get("Value")
                if finding_id in alert["Message"] and reported == transition:
                    return alert
            return None

        return poll(probe, deadline=deadline, what=f"alert {transition!r} of finding {finding_id}")

    def alerts(self, finding_id: str) -> list[dict[str, Any]]:
        """Return every alert of a finding until now."""
        return [alert for alert in self.inbox() if finding_id in alert["Message"]]

    def inbox(self) -> list[dict[str, Any]]:
        """Return every notification that SNS has sent until now. `SentTimestamp` is in milliseconds since 1970."""
        self._read_inbox()
        return list(self._alerts)

    def _read_inbox(self) -> None:
        while True:
            reply = self._sqs.receive_message(
                QueueUrl=self._inbox, MaxNumberOfMessages=10, WaitTimeSeconds=0, AttributeNames=["SentTimestamp"]
            )
            for message in reply.get("Messages", []):
                sent_at = int(message["Attributes"]["SentTimestamp"])
                self._alerts.append({**json.loads(message["Body"]), "SentTimestamp": sent_at})
                self._sqs.delete_message(QueueUrl=self._inbox, ReceiptHandle=message["ReceiptHandle"])
            if not reply.get("Messages"):
                return

    def ops_items(self, finding_id: str) -> list[OpsItem]:
        """Return every OpsItem of a finding, whatever its status."""
        value = json.dumps({"key": "finding_id", "value": finding_id})
        reply = self._ssm.describe_ops_items(
            OpsItemFilters=[{"Key": "OperationalData", "Values": [value], "Operator": "Equal"}]
        )
        return [self._ssm.get_ops_item(OpsItemId=one["OpsItemId"])["OpsItem"] for one in reply["OpsItemSummaries"]]

    def imported(self, finding_id: str) -> list[dict[str, Any]]:
        """Return every finding in Security Hub that is about a finding, whatever its status."""
        wanted = {"Key": "permission-guard/finding", "Value": finding_id, "Comparison": "EQUALS"}
        found: list[dict[str, Any]] = self._securityhub.get_findings(Filters={"ProductFields": [wanted]})["Findings"]
        return found

    def tickets(self) -> list[OpsItem]:
        """Return a summary of every OpsItem in the account."""
        pages = self._ssm.get_paginator("describe_ops_items").paginate()
        return [item for page in pages for item in page["OpsItemSummaries"]]

    def ops_item(self, finding_id: str, status: str, *, deadline: float = DEADLINE) -> OpsItem:
        """Wait for a finding's OpsItem to have a status."""

        def probe() -> OpsItem | None:
            return next((one for one in self.ops_items(finding_id) if one["Status"] == status), None)

        return poll(probe, deadline=deadline, what=f"{status} OpsItem of finding {finding_id}")
