"""What the readers of sources share: one call that tells something of a resource, and how it may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from permission_guard.aws.calls import is_passing
from permission_guard.errors import error_code
from permission_guard.model.state import SourceState, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.targets import JSON

# How these services, and no others that the bot reads, say that a thing is gone.
_GONE = frozenset(
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

# How they say that there is too much at once, besides the codes that every service has.
_BUSY = frozenset({"LimitExceededException", "OverLimit", "RequestThrottled", "SlowDown", "Throttled"})


FOUND = SourceState(exists=True)
"""The state of a resource of which nothing matters but that it is there."""


@record
class SourceReading:
    """What a call tells of a resource: its state, its key as the service names it, the text of its policy.

    Where it `leads_to` another resource, by its ARN, the state is what the look at that one's policy tells. `grants`
    are statements that add to the policy.
    """

    state: SourceState = FOUND
    key: str = ""
    policy: str = ""
    leads_to: str = ""
    grants: tuple[Mapping[str, JSON], ...] = ()


GONE = SourceReading(SourceState(exists=False))
"""What is told of a resource that does not exist."""


@record
class SourceRead:
    """One look at a resource.

    `action` is the IAM action of `call`, which gets the service's client and an ARN; too much is Unread.
    `about` is the ARN of what is asked, where that is not the one that is named: a stream's table, an object's bucket.
    `without` is the code of the error that says that the resource has nothing of the kind. `own` says that nobody sees
    another account's.
    """

    action: str
    call: Callable[[Any, str], SourceReading | Unread]
    about: Callable[[str], str] = str
    without: str = ""
    own: bool = False


@record
class SourceService:
    """A service whose resources are looked at.

    `name` is the one in their ARNs, `client` that of its client. `state` and `policy` may be one and the same look.
    `grants` tells what lets somebody in besides the policy.
    """

    name: str
    client: str
    state: SourceRead | None = None
    policy: SourceRead | None = None
    grants: SourceRead | None = None


def attempt(look: SourceRead, client: Callable[[], Any], arn: str) -> SourceReading | Unread | None:
    """Take a look; return None where there is no such resource, Unread where the look failed.

    What is not a passing fault is `denied`: asking again would not help. That is so of a reply that is not of the
    documented shape as well.
    """
    try:
        return look.call(client(), arn)
    except ClientError as error:
        code = error_code(error)
        if code in _GONE:
            return None
        if code == look.without:
            return SourceReading()
        message = error.response.get("Error", {}).get("Message", "")
        return Unread(look.action, code, message, denied=not (code in _BUSY or is_passing(error)))
    except BotoCoreError as error:
        lasting = isinstance(error, ParamValidationError)
        return Unread(look.action, type(error).__name__, str(error), denied=lasting)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return Unread(look.action, "MalformedReply", repr(error), denied=True)
