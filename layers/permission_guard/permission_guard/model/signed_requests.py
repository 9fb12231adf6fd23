"""Requests of people, which their callers sign: what the signature covers, and how their texts are read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.errors import RequestRefusedError

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

NONCE: Final = "[0-9a-f]{32}"
"""The pattern of a nonce, 32 random hexadecimal digits: no two requests have the same signature."""

ARN: Final = "arn:[!-~]{1,2044}"
"""The pattern of the ARNs in a request. The form of each is checked where it is used."""

MAX_REASON: Final = 500
REASON: Final = f"(?s:.{{1,{MAX_REASON}}})"
"""The pattern of the reason that a person gives. `require_reason` checks the rest."""


class SignedRequest(Protocol):
    """A request to a function, which its caller signs."""

    def to_document(self) -> dict[str, JSON]:
        """Return the request as JSON values, without its signature."""

    def digest(self, audience: str) -> str:
        """Return the hash that the caller signs. `audience` is the ARN of the function that takes the request."""


def digest_of(document: Mapping[str, JSON], audience: str) -> str:
    """Return the hash of a request to one function."""
    return hashlib.sha256(json.dumps({**document, "audience": audience}, sort_keys=True).encode()).hexdigest()


def require_object(document: JSON) -> Mapping[str, JSON]:
    """Return a request as an object. RequestRefusedError if it is something else."""
    if not isinstance(document, Mapping):
        raise RequestRefusedError("the request is not a JSON object")
    return document


def require_reason(reason: str) -> None:
    """Raise RequestRefusedError if a reason says nothing, or has characters that are not shown."""
    if not reason.strip():
        raise RequestRefusedError("the `reason` is blank")
    if not reason.isprintable():
        raise RequestRefusedError("the `reason` has a line break, or a control or invisible character")


def texts_of(document: Mapping[str, JSON], patterns: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of a request by their names. RequestRefusedError names one that its pattern does not match."""
    for name, pattern in patterns.items():
        value = document.get(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise RequestRefusedError(f"the request has no valid `{name}`")
    return {name: document[name] for name in patterns}
