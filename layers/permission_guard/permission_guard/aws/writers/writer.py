"""What every write of a fix has in common.

Each call has the id of its finding in its user agent, as `permission-guard-finding/<id>`. CloudTrail records it in
`userAgent`, so everybody who reads the trail can find the reason. Lambda itself names the session.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.calls import is_temporary
from permission_guard.errors import WriteFailedError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSRequest

_finding: Final[ContextVar[str]] = ContextVar("_finding", default="")
_NOT_IN_AN_ID: Final = re.compile(r"[^0-9A-Za-z-]")
_LONGEST_ID: Final = 64


class WriterForFinding:
    """Makes calls that name a finding. `client` is one of boto3, which other callers may share."""

    def __init__(self, client: Any, finding_id: str = "") -> None:
        self._finding_id = _NOT_IN_AN_ID.sub("-", finding_id)[:_LONGEST_ID]
        # One handler for each client, however many writers there are. Last, because botocore replaces the user agent of
        # each request in a handler of its own. The signature does not cover this header.
        event = f"request-created.{client.meta.service_model.service_id.hyphenize()}"
        client.meta.events.register_last(event, _name_finding, unique_id="permission-guard-finding")

    def write(self, action: str, call: Callable[[], Any], *, done: str = "") -> None:
        """Make a call. The error `done` says that there is nothing to change.

        WriteFailedError when AWS refuses for good; a temporary fault is raised as it is.
        """
        token = _finding.set(self._finding_id)
        try:
            call()
        except ClientError as error:
            if done and error_code(error) == done:
                return
            if is_temporary(error):
                raise
            message = error.response.get("Error", {}).get("Message", "")
            raise WriteFailedError(f"{action} failed with {error_code(error)}: {message}") from error
        finally:
            _finding.reset(token)


def _name_finding(request: AWSRequest, **_more: Any) -> None:
    """Name the finding in the user agent of a request. Each attempt is a request of its own."""
    if finding_id := _finding.get():
        agent = request.headers["User-Agent"]
        request.headers.replace_header("User-Agent", f"{agent} permission-guard-finding/{finding_id}")
