"""Guards: the functions and roles that the bot must not change. A guard that cannot be evaluated refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.findings.exceptions import has_tags, names_function
from permission_guard.iam.glob import compile_glob
from permission_guard.model.arns import role_account
from permission_guard.model.state import STACK_TAG, TOOL_NAMES, ManagedBy, Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.config.document import ManagedElsewhere
    from permission_guard.findings.callers import Caller
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import FunctionTarget

NEVER_TAG = "permission-guard:fix"
NEVER = "never"

_BY_STACK = ("cloudformation", "sam", "cdk")
"""The tools whose roles and functions are read from CloudFormation, so that no memory of their calls is needed."""

_RESERVED_PATHS = ("/aws-service-role/", "/aws-reserved/")


class ManagedByCodeError(FixRefusedError):
    """A guard refused a fix because infrastructure code manages what it would change."""

    def __init__(self, reason: str, managed_by: ManagedBy) -> None:
        super().__init__(reason)
        self.managed_by = managed_by


@record
class Managers:
    """What says which tool outside CloudFormation manages a function or its role.

    `entries` are those of the configuration, `callers` who changed the function or its role, None if that is unknown.
    """

    entries: tuple[ManagedElsewhere, ...] = ()
    callers: tuple[Caller, ...] | None = ()


def guard_managed_elsewhere(managers: Managers, finding: Finding, snapshot: Snapshot, role: Role | None) -> None:
    """Refuse what Terraform or another tool manages: by its callers, by the tags, or by the entries.

    `role` is None for a fix that does not change the role: then no entry that names roles matches.
    """
    target = snapshot.target
    if managers.callers is None:
        raise FixRefusedError(f"Unknown who changes {target.arn} and its role: what the checks remember is unreadable.")
    known = finding.managed_by
    if known is not None and not known.is_configured and known.tool not in _BY_STACK:
        raise ManagedByCodeError(
            f"{target.arn} was last changed by {_name(known.tool)}: change its configuration.", known
        )
    for caller in managers.callers:
        if caller.tool not in ("", *_BY_STACK):
            who = f" as {caller.by}" if caller.by else ""
            reason = f"{_name(caller.tool)} changed {target.arn} or its role on {caller.day}{who}"
            raise ManagedByCodeError(f"{reason}: change its configuration.", ManagedBy(caller.tool))
    for number, entry in enumerate(managers.entries):
        if is_managed(entry, snapshot, role, managers.callers):
            what = role.arn if role and entry.roles else target.arn
            reason = f"{what} is managed by {_name(entry.tool)}, as fixes.managed_elsewhere[{number}] says"
            owner = ManagedBy(str(entry.tool), role=role.name if role and entry.roles else "", is_configured=True)
            raise ManagedByCodeError(f"{reason}: change its configuration.", owner)


def is_managed(entry: ManagedElsewhere, snapshot: Snapshot, role: Role | None, callers: Iterable[Caller]) -> bool:
    """Return whether a function and its role match every key of an entry."""
    return (
        (not entry.functions or names_function(entry.functions, snapshot.target))
        and (not entry.roles or (role is not None and any(compile_glob(one).matches(role.name) for one in entry.roles)))
        and (
            not entry.tags
            or has_tags(snapshot.tags, entry.tags)
            or (role is not None and has_tags(role.tags, entry.tags))
        )
        and (
            not entry.callers
            or any(compile_glob(glob).matches(caller.by) for glob in entry.callers for caller in callers)
        )
    )


def guard_function(snapshot: Snapshot) -> None:
    """Refuse functions that a stack owns, or that their owner tagged `permission-guard:fix=never`."""
    arn = snapshot.target.arn
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
        owner = ManagedBy("cloudformation", stack, role.name)
        raise ManagedByCodeError(f"{role.arn} belongs to the CloudFormation stack {stack}: change its template.", owner)
    if role.path.startswith(_RESERVED_PATHS):
        raise FixRefusedError(f"{role.arn} belongs to AWS: it is a service-linked or reserved role.")
    if role_account(role.arn) != account:
        raise FixRefusedError(f"{role.arn} is in another account.")
    _guard_tags(role.arn, role.tags)


def guard_statement(name: str, stack: str | Unread | None) -> None:
    """Refuse to remove a statement that a CloudFormation stack created: its Sid is the resource's physical id.

    `stack` is read from CloudFormation. RetryableError when that read failed for now.
    """
    if isinstance(stack, Unread):
        reason = f"Unknown whether a CloudFormation stack owns the statement {name!r}: {stack}."
        raise FixRefusedError(reason) if stack.denied else RetryableError(reason)
    if stack is not None:
        owner = ManagedBy("cloudformation", stack)
        raise ManagedByCodeError(
            f"The statement {name!r} belongs to the CloudFormation stack {stack}: change its template.", owner
        )


def functions_sharing(role: Role, target: FunctionTarget, users: tuple[str, ...] | Unread) -> tuple[str, ...]:
    """Return the ARNs of all functions that use a role, sorted; empty if only the finding's own does.

    FixRefusedError if they cannot be read, RetryableError if that is so for now.
    """
    if isinstance(users, Unread):
        reason = f"Unknown which functions use {role.arn}: {users}."
        raise FixRefusedError(reason) if users.denied else RetryableError(reason)
    every = sorted({*users, target.arn})
    return tuple(every) if len(every) > 1 else ()


def _guard_tags(arn: str, tags: Mapping[str, str]) -> None:
    # IAM compares the keys of tags in any case, as in the condition of the Deny in template.yaml.
    if any(key.strip().lower() == NEVER_TAG and value.strip().lower() == NEVER for key, value in tags.items()):
        raise FixRefusedError(f"{arn} is tagged {NEVER_TAG}={NEVER}.")
    if STACK_TAG in tags:
        reason = f"{arn} belongs to the CloudFormation stack {tags[STACK_TAG]}: change its template."
        raise ManagedByCodeError(reason, ManagedBy("cloudformation", tags[STACK_TAG]))


def _name(tool: str) -> str:
    return TOOL_NAMES.get(tool, "another tool")
