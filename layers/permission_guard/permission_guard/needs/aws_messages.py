"""Read AWS's error messages: which actions an execution role lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


ASSUME: Final = "sts:AssumeRole"
"""The action that stands for messages that say that Lambda cannot assume the role."""

_NOT_ASSUMABLE: Final = re.compile(r"cannot be assumed by Lambda", re.IGNORECASE)

# AWS omits the space in one message: "to callPublish on SNS".
_TO_CALL: Final = re.compile(
    r"permissions? to call\s*(?P<actions>[\w:, ]+?) on (?:Amazon |AWS )?(?P<service>arn:\S+|\w+)", re.IGNORECASE
)
_TO_PERFORM: Final = re.compile(r"role can perform (?:the )?(?P<actions>.+?) actions?\b", re.IGNORECASE)
_ACTION: Final = re.compile(r"(?:(?P<service>[a-z][a-z0-9-]*):)?(?P<name>[A-Z][A-Za-z0-9]+)")
_ARN: Final = re.compile(r"arn:[^:\s]+:(?P<service>[a-z0-9-]+):\S*")

_PREFIXES: Final = {"efs": "elasticfilesystem", "eventbridge": "events", "msk": "kafka", "cloudwatchlogs": "logs"}
"""IAM's service prefixes by the service names in messages, in lower case, where the two differ."""


def named_actions(message: str) -> tuple[str, ...]:
    """Return the actions that a message says the role lacks, as IAM spells them: `sqs:ReceiveMessage`.

    The result is `sts:AssumeRole` if Lambda cannot assume the role, and empty if the message names no action.
    """
    if _NOT_ASSUMABLE.search(message):
        return (ASSUME,)
    found: list[str] = []
    for match in _TO_CALL.finditer(message):
        found += _spelled(match["actions"], _service(match["service"]))
    arn = _ARN.search(message)
    for match in _TO_PERFORM.finditer(message):
        found += _spelled(match["actions"], arn["service"] if arn else "")
    return tuple(dict.fromkeys(found))


def _spelled(actions: str, service: str) -> Iterator[str]:
    for match in _ACTION.finditer(actions):
        prefix = match["service"] or service
        if prefix:
            yield f"{prefix}:{match['name']}"


def _service(name: str) -> str:
    arn = _ARN.match(name)
    return arn["service"] if arn else _PREFIXES.get(name.lower(), name.lower())
