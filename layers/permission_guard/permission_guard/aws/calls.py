"""Read calls: one that fails returns a value instead of raising, because its outcome is unknown, not an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.errors import error_code
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

_NOT_FOUND = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "AWSOrganizationsNotInUseException",
        "NoSuchEntity",
        "NoSuchEntityException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    },
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})

TEMPORARY = frozenset(
    {"ConcurrentModification", "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"},
)
"""The codes of errors after which a retry may succeed."""

_SERVER_ERROR = 500


def read(action: str, call: Callable[[], T]) -> T | Unread | None:
    """Make a read call. Return its reply, None if the resource does not exist, Unread if it could not be read.

    `action` is the IAM action of the call, for the log and for the permission that may be missing.
    """
    try:
        return call()
    except ClientError as error:
        code = error_code(error)
        if code in _NOT_FOUND:
            return None
        message = error.response.get("Error", {}).get("Message", "")
        return Unread(action, code, message, denied=code in _DENIED)
    except BotoCoreError as error:
        return Unread(action, type(error).__name__, str(error), denied=False)


def dropped_members(client: Any, operation: str, members: Iterable[str]) -> tuple[str, ...]:
    """Return which members of a reply the SDK drops: those that its service model does not know, because it is older.

    What such a member would have is unread, not absent.
    """
    shape = client.meta.service_model.operation_model(operation).output_shape
    return tuple(member for member in members if shape is None or member not in shape.members)


def is_temporary(error: ClientError) -> bool:
    """Return whether a retry may succeed: the call was throttled, met a concurrent change or failed inside AWS."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= _SERVER_ERROR or error_code(error) in TEMPORARY


def is_denied(error: ClientError) -> bool:
    """Return whether the caller lacks the permission."""
    return error_code(error) in _DENIED
