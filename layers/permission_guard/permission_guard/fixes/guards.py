"""Guards: the functions and roles that the bot must not change. A guard that cannot be evaluated refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.model.arns import role_account
from permission_guard.model.state import STACK_TAG, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Role, Snapshot

NEVER_TAG = "permission-guard:fix"
NEVER = "never"

_RESERVED_PATHS = ("/aws-service-role/", "/aws-reserved/")


def guard_function(snapshot: Snapshot, finding: Finding) -> None:
    """Refuse functions that infrastructure code manages, or that their owner tagged `permission-guard:fix=never`."""
    arn = snapshot.target.arn
    if finding.managed_by is not None and finding.managed_by.tool == "terraform":
        raise FixRefusedError(f"{arn} was last changed by Terraform: change its configuration.")
    if snapshot.tags is None or isinstance(snapshot.tags, Unread):
        raise FixRefusedError(f"The tags of {arn} could not be read: {snapshot.tags}.")
    _guard_tags(arn, snapshot.tags)


def guard_role(role: Role, account: str, stack: str | Unread | None) -> None:
    """Refuse roles that AWS, another account or a template owns, or that are tagged `permission-guard:fix=never`.

    CloudFormation does not tag the roles that it creates, so the caller reads `stack` from CloudFormation.
    RetryableError when that read failed for now.
    """
    if isinstance(stack, Unread):
        reason = f"Unknown whether a CloudFormation stack owns {role.arn}: {stack}."
        raise FixRefusedError(reason) if stack.denied else RetryableError(reason)
    if stack is not None:
        raise FixRefusedError(f"{role.arn} belongs to the CloudFormation stack {stack}: change its template.")
    if role.path.startswith(_RESERVED_PATHS):
        raise FixRefusedError(f"{role.arn} belongs to AWS: it is a service-linked or reserved role.")
    if role_account(role.arn) != account:
        raise FixRefusedError(f"{role.arn} is in another account.")
    _guard_tags(role.arn, role.tags)


def _guard_tags(arn: str, tags: Mapping[str, str]) -> None:
    if tags.get(NEVER_TAG, "").strip().lower() == NEVER:
        raise FixRefusedError(f"{arn} is tagged {NEVER_TAG}={NEVER}.")
    if STACK_TAG in tags:
        raise FixRefusedError(f"{arn} belongs to the CloudFormation stack {tags[STACK_TAG]}: change its template.")
