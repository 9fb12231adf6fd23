"""What the readers of sources share: one read call about a resource, its result and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from permission_guard.aws.calls import is_temporary
from permission_guard.errors import error_code
from permission_guard.model.state import SourceState, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.targets import JSON

# The codes with which these services say that a resource does not exist.
_NOT_FOUND = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccessPointNotFound",
        "DBClusterNotFoundFault",
        "FileSystemNotFound",
        "NoSuchBucket",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    },
)

# Their codes for throttling, in addition to those that every service has.
_BUSY = frozenset({"LimitExceededException", "OverLimit", "RequestThrottled", "SlowDown", "Throttled"})


FOUND = SourceState(exists=True)
"""The state of a resource that exists, with no property that matters here."""


@record
class SourceReading:
    """What one call returns about a resource: its state, its key as the service names it, the text of its policy.

    `state_from` is the ARN of another resource: where it is set, the state is the one that reading that resource's
    policy returns. `grants` are statements that add to the policy.
    """

    state: SourceState = FOUND
    key: str = ""
    policy: str = ""
    state_from: str = ""
    grants: tuple[Mapping[str, JSON], ...] = ()


NOT_FOUND = SourceReading(SourceState(exists=False))
"""The reading of a resource that does not exist."""


@record
class SourceRead:
    """One read call about a resource.

    `action` is the IAM action of `call`, which gets the service's client and an ARN. `call` returns Unread where there
    is too much to read. `resource_of` returns the ARN to read where it differs from the one named: the table of a
    stream, the bucket of an object. `none_code` is the error code for a resource that has none, such as no policy.
    `same_account_only` says that the call cannot read resources of other accounts.
    """

    action: str
    call: Callable[[Any, str], SourceReading | Unread]
    resource_of: Callable[[str], str] = str
    none_code: str = ""
    same_account_only: bool = False


@record
class SourceService:
    """A service whose resources are read.

    `name` is the service in their ARNs, `client` the name of its boto3 client. `state` and `policy` can be the same
    call. `grants` reads what allows principals in addition to the policy.
    """

    name: str
    client: str
    state: SourceRead | None = None
    policy: SourceRead | None = None
    grants: SourceRead | None = None


def attempt(source_read: SourceRead, client: Callable[[], Any], arn: str) -> SourceReading | Unread | None:
    """Make the call. Return None if the resource does not exist, Unread if the call failed.

    Permanent errors are `denied`, because a retry does not help. A reply that does not have the documented shape is
    one of them.
    """
    try:
        return source_read.call(client(), arn)
    except ClientError as error:
        code = error_code(error)
        if code in _NOT_FOUND:
            return None
        if code == source_read.none_code:
            return SourceReading()
        message = error.response.get("Error", {}).get("Message", "")
        return Unread(source_read.action, code, message, denied=not (code in _BUSY or is_temporary(error)))
    except BotoCoreError as error:
        is_permanent = isinstance(error, ParamValidationError)
        return Unread(source_read.action, type(error).__name__, str(error), denied=is_permanent)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return Unread(source_read.action, "MalformedReply", repr(error), denied=True)
