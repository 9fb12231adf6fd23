"""The errors of Permission Guard.

PermissionGuardError
├── ConfigurationError      a setting of the deployment is missing or wrong
│   └── ConfigurationDocumentError  the configuration document has mistakes; carries all of them
├── MalformedEventError     a message that cannot be read: it goes to the dead-letter queue
│   └── UnknownEventError   an API that is in no table: likewise, since AWS may have added one that matters
├── UnrecordedTransitionError  an event names a transition that the findings table does not have: it is refused
├── RetryableError          the same message may succeed later
│   ├── DeliveryError       an alert channel, a ticket system or a queue did not accept it
│   │   ├── DeliveryLimitError  because of a limit that lasts longer than the queue's retries
│   │   └── DeliveryUnclearError  it may have been done: the request was sent, and no response says so
│   ├── ChannelLimitError   an alert channel got as many messages as its limit allows
│   ├── DeliveryBusyError   another invocation is delivering the same finding to the same channel
│   ├── ConflictError       another writer changed the same item first
│   ├── FixNotVisibleError  a fix was applied, and AWS does not show it yet
│   ├── FixInProgressError  another invocation is applying the fix
│   ├── OutOfTimeError      a check took so long that AWS is not called any more
│   └── ConfigurationUnavailableError  the configuration document could not be read, and none was read before
├── EventRejectedError      EventBridge rejects an event for good, even in its smallest form
├── WriteFailedError        AWS denied a write for good; carries AWS's message
│   └── RoleNotReadyError   AWS denied it because of the role, whose new policies may not have propagated
├── FixRefusedError         a guard refused a fix, or could not be evaluated; carries the reason
├── FixingStoppedError      all fixing is stopped, so a call to AWS was not made; carries why
├── ScanStoppedError        the caller stopped a scan, so a call to AWS was not made
├── RequestRefusedError     a request of a person is refused; carries the reason
│   └── CallerUnprovenError its signature does not prove who made it
├── UnknownStateError       a rule needs state that could not be read: its verdict is unknown
└── InputError              a file given to the command line cannot be read or evaluated
    ├── PolicyFileError     a file of policies has another form than `--policies` takes
    ├── UnreadFileError     a file that may be valid was not read to its end: it is over a bound
    └── UnsupportedFileError  a file is neither a template nor the policy of a function
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

UNREADABLE = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a document that has another shape than ours raises: it was written by another version, or by others."""


class PermissionGuardError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigurationError(PermissionGuardError):
    """A setting is missing or wrong; the message names it and the fix."""


class Problem(NamedTuple):
    """A mistake in the configuration document: a key's path such as `exceptions[2].expires`, and what to do.

    `line` and `column` count from 1. They are None where the syntax has no places, as in JSON that was parsed.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Return `12:5: exceptions[0].expires: message`, without what is not known."""
        place = f"{self.line}:{self.column}" if self.line is not None else ""
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ConfigurationDocumentError(ConfigurationError):
    """The configuration document has mistakes. `problems` has all of them, in the order of the document."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class MalformedEventError(PermissionGuardError):
    """An event cannot be read; it goes to the dead-letter queue."""


class UnknownEventError(MalformedEventError):
    """An event of a watched service has a name that is in no table; it goes to the dead-letter queue."""


class UnrecordedTransitionError(PermissionGuardError):
    """An event names a transition that the findings table does not have: nobody but a forger sends it."""


class RetryableError(PermissionGuardError):
    """The same message may succeed later; it stays in its queue."""


class DeliveryError(RetryableError):
    """An alert channel, a ticket system or a queue did not accept the message."""


class DeliveryLimitError(DeliveryError):
    """A limit of the other side is reached, such as a monthly quota, and lasts longer than the queue's retries."""


class DeliveryUnclearError(DeliveryError):
    """A request that must not be repeated was sent, and it is unclear whether it was done. The lock is kept."""


class ChannelLimitError(RetryableError):
    """An alert channel got as many messages as its limit allows, so that this one was not sent."""


class DeliveryBusyError(RetryableError):
    """Another invocation is delivering the same finding to the same channel."""


class ConflictError(RetryableError):
    """Another writer changed the same item since it was read."""


class FixNotVisibleError(RetryableError):
    """A fix was applied, and AWS does not show it yet; the next try reads it back again."""


class FixInProgressError(RetryableError):
    """Another invocation is applying the fix of the same finding."""


class OutOfTimeError(RetryableError):
    """A check took so long that AWS is not called any more; the next try has more time."""


class ConfigurationUnavailableError(RetryableError):
    """The deployed configuration document could not be read, and none was read before."""


class EventRejectedError(PermissionGuardError):
    """EventBridge rejects an event, and will reject it again; the finding stays in the table."""


class WriteFailedError(PermissionGuardError):
    """AWS denied a write, and will deny it again: no permission, a quota, an unmodifiable entity."""


class RoleNotReadyError(WriteFailedError):
    """AWS denied a write because a role lacks a permission. A new policy of the role may not have propagated yet."""


class FixRefusedError(PermissionGuardError):
    """A guard refused a fix, or could not be evaluated."""


class FixingStoppedError(PermissionGuardError):
    """All fixing is stopped, so a call to AWS was not made. A person resumes it."""


class ScanStoppedError(PermissionGuardError):
    """The caller stopped a scan while a call waited for its turn: it was not made."""


class RequestRefusedError(PermissionGuardError):
    """A request of a person is refused: it is invalid, its caller unproven, or what it is about has changed."""


class CallerUnprovenError(RequestRefusedError):
    """The signature of a request does not prove who made it."""


class UnknownStateError(PermissionGuardError):
    """A rule needs a part of the snapshot that could not be read; the engine reports the verdict as unknown."""


class InputError(PermissionGuardError):
    """A file given to the command line cannot be read or evaluated; the message says why."""


class PolicyFileError(InputError):
    """A file of policies has another form than `--policies` takes; the message says which key is wrong."""


class UnreadFileError(InputError):
    """A file that may be valid was not read to its end, because it is over a bound."""


class UnsupportedFileError(InputError):
    """A file is neither a template nor the policy of a function. In a folder it is skipped."""


def error_code(error: Exception) -> str:
    """Return AWS's own code of a botocore `ClientError`, such as `TooManyRequestsException`; `Unknown` without one.

    It stands here because senders outside `aws/` need it too. It reads the error's `response` and imports nothing.
    """
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", "Unknown"))
