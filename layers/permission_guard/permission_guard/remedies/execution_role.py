"""Remedies for an execution role, ready to paste: attach a managed policy, or add a policy with what is missing."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from permission_guard.iam.arn import require_arn
from permission_guard.model.verdicts import Remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.state import Role
    from permission_guard.model.targets import JSON
    from permission_guard.needs.base import Need


def by_aws(policy: str, role_arn: str) -> str:
    """Return the ARN of an AWS managed policy, given as path and name, in the role's partition."""
    return f"arn:{require_arn(role_arn).partition}:iam::aws:policy/{policy}"


def attached(role_arn: str, policy_arn: str) -> tuple[str, str]:
    """Return the AWS CLI command and the Terraform that attach a managed policy to a role."""
    name, label = _name(role_arn), policy_arn.rsplit("/", 1)[-1]
    command = f"aws iam attach-role-policy --role-name {name} --policy-arn {policy_arn}"
    terraform = (
        f'resource "aws_iam_role_policy_attachment" "{label}" {{\n'
        f'  role       = "{name}"\n'
        f'  policy_arn = "{policy_arn}"\n'
        f"}}"
    )
    return command, terraform


def put(role_arn: str, policy_name: str, needs: Sequence[Need]) -> tuple[str, str]:
    """Return the AWS CLI command and the Terraform that add an inline policy with exactly what is missing."""
    name = _name(role_arn)
    document = {"Version": "2012-10-17", "Statement": statements(needs)}
    text = shlex.quote(json.dumps(document))
    command = f"aws iam put-role-policy --role-name {name} --policy-name {policy_name} --policy-document {text}"
    written = json.dumps(document, indent=2).replace("${", "$${").replace("\n", "\n  ")
    terraform = (
        f'resource "aws_iam_role_policy" "{policy_name.replace("-", "_")}" {{\n'
        f'  name   = "{policy_name}"\n'
        f'  role   = "{name}"\n'
        f"  policy = jsonencode({written})\n"
        f"}}"
    )
    return command, terraform


def statement_remedy(needs: Sequence[Need]) -> Remedy:
    """Return the statement to paste into a policy, or a list of statements if the actions differ by resource."""
    found = statements(needs)
    return Remedy("policy-statement", json.dumps(found[0] if len(found) == 1 else found, indent=2))


def all_of(command: str, needs: Sequence[Need], terraform: str) -> tuple[Remedy, ...]:
    """Return the command, the statement with what is missing, and the Terraform as the remedies of a finding."""
    return (Remedy("aws-cli", command), statement_remedy(needs), Remedy("terraform", terraform))


def statements(needs: Sequence[Need]) -> list[dict[str, JSON]]:
    """Return the statements that allow only what is missing; actions with the same resources share one statement."""
    resources: dict[str, dict[str, None]] = {}
    for need in needs:
        resources.setdefault(need.action, {})[need.resource] = None
    actions: dict[tuple[str, ...], list[str]] = {}
    for action, named in resources.items():
        actions.setdefault(tuple(sorted(named)), []).append(action)
    return [{"Effect": "Allow", "Action": which, "Resource": list(named)} for named, which in actions.items()]


def _name(role_arn: str) -> str:
    return role_arn.rsplit("/", 1)[-1]


def free_name(wanted: str, role: Role | None) -> str:
    """Return a name that no inline policy of the role has: PutRolePolicy would replace a policy of that name."""
    taken = role.inline if role else {}
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
