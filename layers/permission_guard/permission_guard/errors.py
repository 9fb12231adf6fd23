"""The errors of Permission Guard.

PermissionGuardError
├── ConfigurationError      the deployment is wrong: nothing will work until a person mends it
├── MalformedEventError     a message that cannot be read: dead-letter queue, a person looks
│   └── UnknownEventError   an API that is in no table: likewise, since AWS may have added one that matters
├── RetryableError          try the same message again later
│   ├── DeliveryError       a channel or ticket system did not take it this time
│   ├── DeliveryBusyError   another invocation is delivering this finding to this channel right now
│   ├── ConflictError       somebody else wrote the same item first
│   └── FixNotVisibleError  a fix was made and reading it back does not show it yet
├── WriteFailedError        AWS refused a write for good; carries its words
└── FixRefusedError         a guard said no, or could not be evaluated; carries the reason
"""

from __future__ import annotations


class PermissionGuardError(Exception):
    """Everything this package raises on purpose."""


class ConfigurationError(PermissionGuardError):
    """A setting is missing or wrong; the message names it and the cure."""


class MalformedEventError(PermissionGuardError):
    """An event that cannot be read; it goes to the dead-letter queue."""


class UnknownEventError(MalformedEventError):
    """An event of a watched service whose name is in no table; it goes to the dead-letter queue."""


class RetryableError(PermissionGuardError):
    """Something that may well work the next time; the message stays in its queue."""


class DeliveryError(RetryableError):
    """An alert channel or a ticket system did not take the message."""


class DeliveryBusyError(RetryableError):
    """The same finding is being delivered to the same channel by another invocation."""


class ConflictError(RetryableError):
    """Another writer changed the same item since it was read."""


class FixNotVisibleError(RetryableError):
    """A change that was made and that AWS does not show yet; the next try reads it back again."""


class WriteFailedError(PermissionGuardError):
    """A write that AWS refused and will refuse again: denied, over a quota, not to be modified."""


class FixRefusedError(PermissionGuardError):
    """A fix that must not be made, or whose guard could not be evaluated."""


def error_code(error: Exception) -> str:
    """Return AWS's own code of a botocore `ClientError`, such as `TooManyRequestsException`; `Unknown` without one.

    It stands here because senders outside `aws/` need it too. It reads the error's `response` and imports nothing.
    """
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", "Unknown"))
