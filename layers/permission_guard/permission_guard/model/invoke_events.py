"""CloudTrail's data events of the API `Invoke`, as values: who invoked a function."""

from __future__ import annotations

from typing import Final

from permission_guard.records import record

DAYS: Final = 30
"""For how many days all events must have been recorded."""


@record
class InvokeCaller:
    """Who invoked a function in some events, as CloudTrail recorded it. What an event does not have is empty.

    `identity_type` is the type of `userIdentity`, and `service` the one that it was invoked by. `invoked` is the name
    or ARN that was invoked, with the qualifier, and `function_arn` the ARN of the function without it.
    """

    identity_type: str = ""
    service: str = ""
    source_arn: str = ""
    source_account: str = ""
    invoked: str = ""
    function_arn: str = ""


@record
class NotRecorded:
    """The events of a function are not known to be complete. `reason` says why, in the middle of a sentence."""

    reason: str
