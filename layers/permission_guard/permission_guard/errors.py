"""The errors of Permission Guard.

    PermissionGuardError
    ├── ConfigurationError      the deployment is wrong: nothing will work until a person mends it
    ├── MalformedEventError     a message that cannot be read: dead-letter queue, a person looks
    ├── RetryableError          try the same message again later
    │   ├── DeliveryError       a channel or ticket system did not take it this time
    │   ├── DeliveryBusyError   another invocation is delivering this finding to this channel right now
    │   └── ConflictError       somebody else wrote the same item first
    └── FixRefusedError         a guard said no, or could not be evaluated; carries the reason
"""

from __future__ import annotations


class PermissionGuardError(Exception):
    """Everything this package raises on purpose."""


class ConfigurationError(PermissionGuardError):
    """A setting is missing or wrong; the message names it and the cure."""


class MalformedEventError(PermissionGuardError):
    """An event that cannot be read; it goes to the dead-letter queue."""


class RetryableError(PermissionGuardError):
    """Something that may well work the next time; the message stays in its queue."""


class DeliveryError(RetryableError):
    """An alert channel or a ticket system did not take the message."""


class DeliveryBusyError(RetryableError):
    """The same finding is being delivered to the same channel by another invocation."""


class ConflictError(RetryableError):
    """Another writer changed the same item since it was read."""


class FixRefusedError(PermissionGuardError):
    """A fix that must not be made, or whose guard could not be evaluated."""
