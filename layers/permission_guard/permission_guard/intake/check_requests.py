"""The message with which a check is requested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.bus.events import SOURCE
from permission_guard.model.findings import MAX_EVENT_IDS

if TYPE_CHECKING:
    from collections.abc import Sequence

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
) -> str:
    """Return the body of a message that requests checks of functions.

    `requested_at` is ISO-8601; what functions share is read after it. `causes` are the ids of the events that led to
    the request; `tool` is the infrastructure code that made the change.
    """
    optional = {"requested_at": requested_at, "causes": list(causes[:MAX_EVENT_IDS]), "tool": tool}
    given = {name: value for name, value in optional.items() if value}
    detail = {
        "functions": [target.arn for target in targets],
        "after_grace_period": after_grace_period,
        "full": full,
        **given,
    }
    return json.dumps({"source": SOURCE, "detail-type": CHECK_DETAIL_TYPE, "detail": detail})
