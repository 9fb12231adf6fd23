"""Who may send to a queue: the callers and services that its policy, and their own policies, allow.

MiniStack's checks know no service principals beyond SNS and S3, and lock the root out of a queue that denies everyone.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from typing import TYPE_CHECKING, Any

from ministack.core.concurrency import esm_wake
from ministack.core.iam_evaluator import PrincipalInfo, resolve_principal, resource_policy_allows
from ministack.core.responses import get_account_id
from ministack.services.sqs import queue_delay

from sandbox.server import inside
from sandbox.server.authorization import ROOT_ALWAYS_MAY, allows_service, caller_context, spelled
from sandbox.server.context import current_key

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND = "sqs:SendMessage"


def require_access(queue: Mapping[str, Any], iam_action: str) -> None:
    """Raise MiniStack's error unless the queue's policy lets the caller pass.

    In the queue's account only an explicit deny rejects: the caller's own policies have been asked before. The root
    of the account can always read and replace the policy.
    """
    arn = str(queue["attributes"]["QueueArn"])
    principal = resolve_principal(current_key.get(), get_account_id())
    is_known = isinstance(principal, PrincipalInfo)
    is_owner = is_known and principal.account == arn.split(":")[4]
    if is_owner and principal.type == "Root" and iam_action in ROOT_ALWAYS_MAY:
        return
    policy = queue["attributes"].get("Policy") or ""
    if not is_known or not resource_policy_allows(policy, caller_context(principal, iam_action, arn), is_owner):
        action, reason = spelled(iam_action), "with an explicit deny in a resource-based policy"
        if not is_owner:
            reason = f"because no resource-based policy allows the {action} action"
        who = principal.arn if is_known else "anonymous"
        text = f"User: {who} is not authorized to perform: {action} on resource: {arn} {reason}"
        raise inside.SqsError("AccessDenied", text, 403)


def service_may_send(queue_arn: str, service: str, source_arn: str, source_account: str) -> bool:
    """Return whether the queue's policy lets a service send for a resource, such as a rule, a topic or a bucket."""
    queue = inside.queue_by_arn(queue_arn)
    if queue is None:
        return False
    keys = {
        "aws:sourcearn": source_arn,
        "aws:sourceaccount": source_account,
        "aws:sourceowner": source_account,
    }
    return allows_service(queue["attributes"].get("Policy"), service, SEND, queue_arn, keys)


def put_message(queue: dict[str, Any], body: str, attributes: Mapping[str, Any], like: Mapping[str, Any]) -> None:
    """Add a message without asking a policy. `like` has the group and the deduplication ID, for a FIFO queue."""
    now = time.time()
    sequence = None
    if queue["is_fifo"]:
        queue["fifo_seq"] += 1
        sequence = str(queue["fifo_seq"]).zfill(20)
    message = {
        "id": str(uuid.uuid4()),
        "body": body,
        "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "md5_attrs": inside.md5_of_attributes(dict(attributes)),
        "message_attributes": dict(attributes),
        "sent_at": now,
        "visible_at": now + queue_delay(queue),
        "group_id": like.get("group_id"),
        "dedup_id": like.get("dedup_id"),
        "seq": sequence,
    }
    inside.complete_message(message)
    queue["messages"].append(message)
    esm_wake.set()
