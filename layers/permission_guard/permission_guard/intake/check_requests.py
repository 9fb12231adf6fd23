"""The message with which a check is requested."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from permission_guard.bus.events import SOURCE
from permission_guard.model.findings import MAX_EVENT_IDS
from permission_guard.model.role_permissions import MAX_ROLE_CHANGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.role_permissions import RoleChange
    from permission_guard.model.targets import FunctionTarget


CHECK_DETAIL_TYPE = "Check Requested"


def check_request_body(
    targets: Sequence[FunctionTarget],
    requested_at: str | None = None,
    *,
    after_grace_period: bool = True,
    full: bool = True,
    causes: Sequence[str] = (),
    tool: str = "",
    changed_by: str = "",
    changed_from: str = "",
    changed_with: str = "",
    changed_in: str = "",
    changed_event: str = "",
    role_changes: Sequence[RoleChange] = (),
    iam_change: bool = False,
    baseline: bool = False,
) -> str:
    """Return the body of a message that requests checks of functions.

    `requested_at` is ISO-8601; what functions share is read after it. `causes` are the ids of the events that led to
    the request; `tool` is the infrastructure code that made the change, `changed_by` the ARN of who made it,
    `changed_from` the address and `changed_with` the user agent, `changed_event` the id of that event and `changed_in`
    its region, and `role_changes` the calls that can have removed permissions from a role. `iam_change` is true if one
    of the events changed a role or a policy, which IAM still has to propagate. `baseline` is true for a request of the
    first sweep.
    """
    optional = {
        "requested_at": requested_at,
        "causes": list(causes[:MAX_EVENT_IDS]),
        "tool": tool,
        "changed_by": changed_by,
        "changed_from": changed_from,
        "changed_with": changed_with,
        "changed_in": changed_in,
        "changed_event": changed_event,
        "role_changes": [asdict(change) for change in role_changes[-MAX_ROLE_CHANGES:]],
        "iam_change": iam_change,
        "baseline": baseline,
    }
    given = {name: value for name, value in optional.items() if value}
    detail = {
        "functions": [target.arn for target in targets],
        "after_grace_period": after_grace_period,
        "full": full,
        **given,
    }
    return json.dumps({"source": SOURCE, "detail-type": CHECK_DETAIL_TYPE, "detail": detail})
