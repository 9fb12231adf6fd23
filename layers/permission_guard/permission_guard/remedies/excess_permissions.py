"""Remedies for a role with excess permissions: see what it used, allow what it needs, remove the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy
from permission_guard.records import record
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.decisions import comment_mark, commented, placeholder, to_fill_in
from permission_guard.remedies.execution_role import free_name, put_policy, put_statements
from permission_guard.remedies.quoting import escaped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from permission_guard.iam import Policy, StatementRef
    from permission_guard.model.state import Role
    from permission_guard.model.targets import JSON

_NAME: Final = "permissions-of-the-function"
_STEPS: Final = (
    "step 1 of 3: see what the role used",
    "step 2 of 3: allow what the function needs",
    "step 3 of 3: remove the excess permissions",
)


def replaced(before: Role, after: Role, needed: Sequence[Mapping[str, JSON]], region: str) -> tuple[Remedy, ...]:
    """Return the remedies that leave a role the policies of `after`, and add what the function needs.

    `needed` are the statements that are known to be needed. The owner fills in the others.
    """
    used = {"Effect": "Allow", "Action": [placeholder("ACTION")], "Resource": [placeholder("RESOURCE-ARN")]}
    allowed = [*needed, used]
    put, *in_code = put_statements(before.name, free_name(_NAME, before), allowed, region)
    changes = f"Every function with the role {before.name} loses what only the removed statements and policies allow."
    found = list(_removals(before, after, region))
    way_back = commented("\n".join(["The way back:", *(one.back for one in found)]))
    removal = "\n".join([*(one.command for one in found), way_back])
    return (
        Remedy("aws-cli", "\n".join(_reads(before, found, region)), changes="Nothing: it only reads.", step=_STEPS[0]),
        *(replace(one, step=_STEPS[1]) for one in to_fill_in([put])),
        Remedy("aws-cli", removal, changes=changes, step=_STEPS[2]),
        *to_fill_in(_with_removals(one, found, changes) for one in in_code),
        Remedy(
            "policy-statement",
            json.dumps(allowed, indent=2),
            needs_decision=True,
            changes="Every function with the role is then allowed this.",
        ),
    )


def without(role: Role, removed: Collection[StatementRef]) -> Role:
    """Return a role without some statements: managed policies are detached, inline policies lose the statements."""
    attached = {arn: policy for arn, policy in role.attached.items() if not _indexes(policy, removed)}
    inline = {name: _less(policy, _indexes(policy, removed)) for name, policy in role.inline.items()}
    return replace(role, attached=attached, inline={name: policy for name, policy in inline.items() if policy})


def _indexes(policy: Policy | Unread, removed: Collection[StatementRef]) -> set[int]:
    return set() if isinstance(policy, Unread) else {each.index for each in removed if each.policy == policy.name}


def _less(policy: Policy | Unread, indexes: Collection[int]) -> Policy | Unread | None:
    """Return an inline policy without some statements, None if nothing is left."""
    if isinstance(policy, Unread) or not indexes:
        return policy
    head = policy.document if isinstance(policy.document, dict) else {}
    left = [dict(statement.raw) for statement in policy.statements if statement.index not in indexes]
    return parse_policy({**head, "Statement": left}, name=policy.name) if left else None


@record
class _Removal:
    """What is removed from one policy: the command, the command back, and what to do in infrastructure code.

    `inline` is the name of an inline policy, empty if a managed policy is detached.
    """

    command: str
    back: str
    in_code: str
    inline: str = ""


def _removals(before: Role, after: Role, region: str) -> Iterator[_Removal]:
    role = before.name
    for arn in sorted(before.attached.keys() - after.attached.keys()):
        named = {"role_name": role, "policy_arn": arn}
        detach, attach = (aws("iam", f"{verb}-role-policy", region, **named) for verb in ("detach", "attach"))
        yield _Removal(detach, attach, f"Then detach {arn} from the role {role}.")
    for name, policy in before.inline.items():
        left = after.inline.get(name)
        if left == policy or isinstance(policy, Unread) or isinstance(left, Unread):
            continue
        back = put_policy(role, name, policy.document, region)
        if left is None:
            delete = aws("iam", "delete-role-policy", region, role_name=role, policy_name=name)
            yield _Removal(delete, back, f"Then delete the inline policy {name} of the role {role}.", name)
        else:
            put = put_policy(role, name, left.document, region)
            text = f"Then replace the inline policy {name} of the role {role} by: {json.dumps(left.document)}"
            yield _Removal(put, back, text, name)


def _reads(role: Role, found: Sequence[_Removal], region: str) -> Iterator[str]:
    """Yield the commands that show the policies to change, and when the role used which action last."""
    for each in found:
        if each.inline:
            yield aws("iam", "get-role-policy", region, role_name=role.name, policy_name=each.inline)
    yield aws("iam", "list-attached-role-policies", region, role_name=role.name)
    details = {"arn": role.arn, "granularity": "ACTION_LEVEL", "query": "JobId", "output": "text"}
    generate = aws("iam", "generate-service-last-accessed-details", region, **details)
    get = aws("iam", "get-service-last-accessed-details", region)
    yield f'job=$({generate}) && sleep 10 && {get} --job-id "$job"'


def _with_removals(remedy: Remedy, found: Sequence[_Removal], changes: str) -> Remedy:
    lines = [remedy.text, *(f"{comment_mark(remedy)} {escaped(each.in_code)}" for each in found)]
    return replace(remedy, text="\n".join(lines), changes=changes)
