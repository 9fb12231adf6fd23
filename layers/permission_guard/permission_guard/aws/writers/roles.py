"""The only writes to IAM that Permission Guard makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from permission_guard.aws.calls import is_temporary
from permission_guard.errors import WriteFailedError, error_code

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class RoleWriter:
    """Changes roles; its function's own role allows it the policies on a fixed list and no other."""

    def __init__(self, client: IAMClient) -> None:
        self._iam = client

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role; attaching what is attached changes nothing.

        WriteFailedError when AWS refuses for good; a temporary fault is raised as it is, so that it is tried again.
        """
        try:
            self._iam.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)
        except ClientError as error:
            if is_temporary(error):
                raise
            message = error.response.get("Error", {}).get("Message", "")
            raise WriteFailedError(f"iam:AttachRolePolicy failed with {error_code(error)}: {message}") from error
