"""The only writes to IAM that Permission Guard makes.

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
    from mypy_boto3_iam import IAMClient

_finding: Final[ContextVar[str]] = ContextVar("_finding", default="")
_NOT_IN_AN_ID: Final = re.compile(r"[^0-9A-Za-z-]")
_LONGEST_ID: Final = 64


class RoleWriter:
    """Changes roles; its function's own role allows it the policies on a fixed list and no other."""

    def __init__(self, client: IAMClient, finding_id: str = "") -> None:
        self._iam = client
        self._finding_id = _NOT_IN_AN_ID.sub("-", finding_id)[:_LONGEST_ID]
        # One handler for each client, however many writers there are. Last, because botocore replaces the user agent of
        # each request in a handler of its own. The signature does not cover this header.
        client.meta.events.register_last("request-created.iam", _name_finding, unique_id="permission-guard-finding")

    def for_finding(self, finding_id: str) -> RoleWriter:
        """Return a writer whose calls name a finding. It uses the same client, since creating one takes long."""
        return RoleWriter(self._iam, finding_id)

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role; attaching what is attached changes nothing.

        WriteFailedError when AWS refuses for good; a temporary fault is raised as it is, so that it is tried again.
        """
        self._write(
            "iam:AttachRolePolicy", lambda: self._iam.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)
        )

    def detach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Detach a managed policy from a role; detaching what is not attached changes nothing.

        The same errors as `attach_role_policy`.
        """
        self._write(
            "iam:DetachRolePolicy",
            lambda: self._iam.detach_role_policy(RoleName=role_name, PolicyArn=policy_arn),
            done="NoSuchEntity",
        )

    def _write(self, action: str, call: Callable[[], Any], *, done: str = "") -> None:
        """Make a call that names the finding. The error `done` says that there is nothing to change."""
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
