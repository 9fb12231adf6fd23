"""The actions of all AWS services, to notice a misspelt one: a policy engine would evaluate it like any other.

`make generate` compiles them from a copy of AWS's Service Authorization Reference, which states the facts.
"""

from __future__ import annotations

import difflib
import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any, Final

from permission_guard.iam.arn import parse_arn

FILE: Final = Path(__file__).with_name("service_actions.json.xz")


def action_problem(action: str) -> str:
    """Return why an action cannot be evaluated, empty if it can be: it is none, or no service has it."""
    service, colon, name = action.partition(":")
    if not colon or not service or not name or action != action.strip():
        return f"{action!r} is not an action such as sqs:ReceiveMessage"
    if "*" in action or "?" in action:
        return f"{action!r} is a pattern; give single actions"
    known: dict[str, list[str]] = _data()["actions"]
    names = known.get(service.lower())
    if names is None:
        return f"{action!r}: no AWS service has the prefix {service!r}{_meant(service.lower(), known)}"
    if name.lower() in map(str.lower, names):
        return ""
    spelled = {one.lower(): f"{service}:{one}" for one in names}
    return f"{action!r}: the service has no such action{_meant(name.lower(), spelled)}"


def is_of_service(resource: str, action: str) -> bool:
    """Return whether an action can be on a resource: the ARN is one of the action's service, or the resource is `*`."""
    arn = parse_arn(resource)
    service = action.partition(":")[0].lower()
    services = _data()["arns"].get(service)
    return arn is None or not services or arn.service in {service, *services}


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lzma.decompress(FILE.read_bytes()))
    return found


def _meant(name: str, known: dict[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    found = known[close[0]] if close else None
    return f". Is {found if isinstance(found, str) else close[0]} meant?" if close else ""
