"""The items of findings in the findings table: keys, attributes, and how to read them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables import schema
from permission_guard.findings.lifecycle import owner_of_fix
from permission_guard.model.arns import finding_target
from permission_guard.model.findings import CHANGED_AWS, Finding, FixResult, Status
from permission_guard.model.targets import FunctionTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import FindingTarget

FINDING_PREFIX = "FINDING#"
HISTORY_PREFIX = "HISTORY#"
KEEP_RESOLVED = timedelta(days=90)
KEEP_HISTORY = timedelta(days=400)
"""More than a year: what an audit asks for."""

_HAS_CHANGED_AWS = frozenset({FixResult.APPLIED, FixResult.UNDOING, FixResult.UNDONE})


def partition_key(target: FindingTarget) -> str:
    """Return the partition key of all items of a function, or of the findings about a role."""
    return f"{'FUNCTION' if isinstance(target, FunctionTarget) else 'ROLE'}#{target.arn}"


def target_of_key(text: str) -> FindingTarget:
    """Return the function or role of a partition key; ValueError if it has another form."""
    kind, _, arn = text.partition("#")
    target = finding_target(arn)
    if kind not in ("FUNCTION", "ROLE") or partition_key(target) != text:
        raise ValueError(f"not the key of a function or a role: {text!r:.200}")
    return target


def finding_key(target: FindingTarget, finding_id: str) -> Any:
    """Return the key of a finding."""
    return {"pk": {"S": partition_key(target)}, "sk": {"S": FINDING_PREFIX + finding_id}}


def history_key(target: FindingTarget, finding_id: str, revision: int) -> Any:
    """Return the key of a finding's transition to a revision."""
    return {"pk": {"S": partition_key(target)}, "sk": {"S": f"{HISTORY_PREFIX}{finding_id}#{revision}"}}


def read_finding(item: Mapping[str, Any]) -> Finding:
    """Read a finding or a transition from an item in DynamoDB JSON, of the table or of its stream.

    One of UNREADABLE if it is not a finding, or that of another key: it would be written to that one. Or if its
    document has another revision or owner than the attributes that a write compares: no write would succeed.
    """
    finding = Finding.from_document(json.loads(item["document"]["S"]))
    target = finding_target(finding.target_arn)
    key = {name: item[name] for name in ("pk", "sk")}
    if key == history_key(target, finding.id, finding.revision):
        return finding
    if key != finding_key(target, finding.id):
        raise ValueError(f"the finding {finding.id!r:.100} of {finding.target_arn!r:.200} has another key")
    owner = {"S": owner_of_fix(finding)}
    if item["revision"] != {"N": str(finding.revision)} or item.get("fix_owner", owner) != owner:
        raise ValueError(f"the finding {finding.id} has another revision or owner than its document")
    return finding


def finding_item(finding: Finding) -> dict[str, Any]:
    """Return the item of a finding."""
    item = {
        **finding_key(finding_target(finding.target_arn), finding.id),
        **schema.ATTRIBUTE,
        "status": {"S": finding.status},
        "changed_at": {"S": finding.changed_at},
        "revision": {"N": str(finding.revision)},
        "fix_owner": {"S": owner_of_fix(finding)},
        "document": {"S": json.dumps(finding.to_document(), sort_keys=True)},
    }
    if finding.status is Status.RESOLVED:
        # A fix can be undone as long as its state before and after is kept.
        has_fix = finding.fix is not None and finding.fix.result in _HAS_CHANGED_AWS
        item["expires_at"] = expires_in(KEEP_HISTORY if has_fix else KEEP_RESOLVED, finding.changed_at)
    return item


def history_item(finding: Finding) -> dict[str, Any]:
    """Return the item of a finding's last transition; the index lists those that changed something in AWS."""
    item = {
        **history_key(finding_target(finding.target_arn), finding.id, finding.revision),
        **schema.ATTRIBUTE,
        "document": {"S": json.dumps(finding.to_document(), sort_keys=True)},
        "expires_at": expires_in(KEEP_HISTORY, finding.changed_at),
    }
    if finding.transition in CHANGED_AWS:
        item |= {"status": {"S": finding.transition}, "changed_at": {"S": finding.changed_at}}
    return item


def expires_in(delay: timedelta, now: str) -> Any:
    """Return the time-to-live attribute of an item that expires some time after `now`, which is ISO-8601."""
    return {"N": str(int((datetime.fromisoformat(now) + delay).timestamp()))}
