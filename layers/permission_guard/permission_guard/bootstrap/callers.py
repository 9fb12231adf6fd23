"""Who signed a request, the same for every function that takes requests of people."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.readers.caller import CallerIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.signed_requests import SignedRequest
    from permission_guard.model.targets import JSON


def proven_caller(request: SignedRequest, document: Mapping[str, JSON], audience: str, now: str) -> str:
    """Return the ARN of who signed a request to the function `audience`, as AWS STS proves it.

    `document` is the request with its signature. CallerUnprovenError if it proves nothing, RetryableError if STS cannot
    be asked.
    """
    return _identity().arn_of(document.get("signature"), request.digest(audience), datetime.fromisoformat(now))


@cache
def _identity() -> CallerIdentity:
    return CallerIdentity(client("sts"))
