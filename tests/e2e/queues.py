"""Queues, and the statements of their policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.client.process import ACCOUNT, REGION

if TYPE_CHECKING:
    from sandbox.client.process import Sandbox

EVERYTHING = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
BY_POLICY = "with an explicit deny in a resource-based policy"


def queue_arn(name: str) -> str:
    """Return the ARN of a queue."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def rule_arn(name: str) -> str:
    """Return the ARN of a rule on the default bus."""
    return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"


def service(name: str, queue: str, source: str) -> dict[str, Any]:
    """Return the statement that allows a service to send for one resource."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"{name}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(queue),
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }


def only(queue: str, *roles: str, operator: str = "ArnNotEquals") -> dict[str, Any]:
    """Return the statement that denies everyone but some roles, and AWS's services, to send."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(queue),
        "Condition": {
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
            operator: {"aws:PrincipalArn": list(roles)},
        },
    }


class Queue:
    """A queue, with what its owner does to it."""

    def __init__(self, sandbox: Sandbox, name: str, **attributes: str) -> None:
        self._sqs = sandbox.client("sqs")
        self.name, self.arn = name, queue_arn(name)
        self.url = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def set_policy(self, *statements: dict[str, Any]) -> None:
        """Replace the policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)}) if statements else ""
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document})

    def bodies(self) -> list[str]:
        """Receive and delete the visible messages, and return their bodies."""
        return [one["Body"] for one in self.messages()]

    def messages(self) -> list[dict[str, Any]]:
        """Receive and delete the visible messages."""
        reply = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        received: list[dict[str, Any]] = reply.get("Messages", [])
        for one in received:
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return received
