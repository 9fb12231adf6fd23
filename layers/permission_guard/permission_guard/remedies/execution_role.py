"""Remedies for an execution role, ready to paste: attach a managed policy, or add a policy with what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.iam.arn import require_arn
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies import terraform
from permission_guard.remedies.aws_cli import aws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.model.state import Role
    from permission_guard.model.targets import JSON
    from permission_guard.needs.base import Need


def by_aws(policy: str, role_arn: str) -> str:
    """Return the ARN of an AWS managed policy, given as path and name, in the role's partition."""
    return f"arn:{require_arn(role_arn).partition}:iam::aws:policy/{policy}"


def attached(role_arn: str, policy_arn: str, region: str) -> tuple[str, str]:
    """Return the AWS CLI command and the Terraform that attach a managed policy to a role."""
    name = _name(role_arn)
    names = (name, policy_arn.rpartition("/")[2])
    block = terraform.resource("aws_iam_role_policy_attachment", names, role=name, policy_arn=policy_arn)
    return aws("iam", "attach-role-policy", region, role_name=name, policy_arn=policy_arn), block


def put(role_arn: str, policy_name: str, needs: Sequence[Need], region: str) -> tuple[str, str]:
    """Return the AWS CLI command and the Terraform that add an inline policy with exactly what is missing."""
    document = {"Version": "2012-10-17", "Statement": statements(needs)}
    return put_document(_name(role_arn), policy_name, document, region)


def put_document(role: str, policy_name: str, document: JSON, region: str) -> tuple[str, str]:
    """Return the AWS CLI command and the Terraform that add an inline policy to a role, given by its name."""
    command = aws(
        "iam", "put-role-policy", region, role_name=role, policy_name=policy_name, policy_document=json.dumps(document)
    )
    block = terraform.resource(
        "aws_iam_role_policy",
        (role, policy_name),
        name=policy_name,
        role=role,
        policy=terraform.jsonencode(document),
    )
    return command, block


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
    return role_arn.rpartition("/")[2]


def free_name(wanted: str, role: Role | None) -> str:
    """Return a name that no inline policy of the role has: PutRolePolicy would replace a policy of that name."""
    taken = role.inline if role else {}
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
