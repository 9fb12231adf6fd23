"""Remedies for an execution role, ready to paste: attach a managed policy, or add a policy with what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.iam.arn import require_arn
from permission_guard.iam.documents import VARIABLES_VERSION
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies import cdk, terraform
from permission_guard.remedies.aws_cli import aws

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.state import Role
    from permission_guard.model.targets import JSON
    from permission_guard.needs.base import Need


def by_aws(policy: str, role_arn: str) -> str:
    """Return the ARN of an AWS managed policy, given as path and name, in the role's partition."""
    return f"arn:{require_arn(role_arn).partition}:iam::aws:policy/{policy}"


def attached(role_arn: str, policy: str, region: str) -> tuple[Remedy, ...]:
    """Return the remedies that attach an AWS managed policy, given as path and name, to a role."""
    name, arn = _name(role_arn), by_aws(policy, role_arn)
    block = terraform.resource("aws_iam_role_policy_attachment", (name, _name(arn)), role=name, policy_arn=arn)
    return _of_role(
        aws("iam", "attach-role-policy", region, role_name=name, policy_arn=arn),
        cdk.add_managed_policy(name, policy),
        block,
        f"Every function with the role {name} is then allowed all that {_name(arn)} allows.",
    )


def put(role_arn: str, policy_name: str, needs: Sequence[Need], region: str) -> tuple[Remedy, ...]:
    """Return the remedies that add an inline policy with exactly what is missing to a role."""
    return put_statements(_name(role_arn), policy_name, statements(needs), region)


def put_statements(
    role: str, policy_name: str, allowed: Sequence[Mapping[str, JSON]], region: str
) -> tuple[Remedy, ...]:
    """Return the remedies that add an inline policy with these statements to a role, given by its name."""
    document = document_of(allowed)
    block = terraform.resource(
        "aws_iam_role_policy",
        (role, policy_name),
        name=policy_name,
        role=role,
        policy=terraform.jsonencode(document),
    )
    return _of_role(
        put_policy(role, policy_name, document, region),
        cdk.grants(role, allowed),
        block,
        f"Every function with the role {role} is then allowed this.",
    )


def put_policy(role: str, policy_name: str, document: JSON, region: str) -> str:
    """Return the AWS CLI command that writes an inline policy of a role, given by its name."""
    text = json.dumps(document)
    return aws("iam", "put-role-policy", region, role_name=role, policy_name=policy_name, policy_document=text)


def document_of(statements: Sequence[Mapping[str, JSON]]) -> dict[str, JSON]:
    """Return a policy document with these statements."""
    return {"Version": VARIABLES_VERSION, "Statement": [dict(statement) for statement in statements]}


def _of_role(command: str, call: str, block: str, changes: str) -> tuple[Remedy, ...]:
    texts = {"aws-cli": command, "cdk": call, "terraform": block}
    return tuple(Remedy(kind, text, changes=changes) for kind, text in texts.items())


def statement_remedy(needs: Sequence[Need]) -> Remedy:
    """Return the statement to paste into a policy, or a list of statements if the actions differ by resource."""
    found = statements(needs)
    text = json.dumps(found[0] if len(found) == 1 else found, indent=2)
    return Remedy("policy-statement", text, changes="Every function whose role has the policy is then allowed this.")


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
