"""The only writes to IAM that Permission Guard makes. `writer.py` says how they name their finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.writers.writer import WriterForFinding

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class RoleWriter(WriterForFinding):
    """Changes roles; its function's own role allows it the policies on a fixed list and no other."""

    def __init__(self, client: IAMClient, finding_id: str = "") -> None:
        super().__init__(client, finding_id)
        self._iam = client

    def for_finding(self, finding_id: str) -> RoleWriter:
        """Return a writer whose calls name a finding. It uses the same client, since creating one takes long."""
        return RoleWriter(self._iam, finding_id)

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role; attaching what is attached changes nothing.

        WriteFailedError when AWS refuses for good; a temporary fault is raised as it is, so that it is tried again.
        """
        self.write(
            "iam:AttachRolePolicy", lambda: self._iam.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)
        )

    def detach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Detach a managed policy from a role; detaching what is not attached changes nothing.

        The same errors as `attach_role_policy`.
        """
        self.write(
            "iam:DetachRolePolicy",
            lambda: self._iam.detach_role_policy(RoleName=role_name, PolicyArn=policy_arn),
            done="NoSuchEntity",
        )
