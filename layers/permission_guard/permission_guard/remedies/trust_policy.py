"""A role's trust policy, and cures for it, ready to paste: the whole as it should be, for there is no other way."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.iam.documents import VARIABLES_VERSION
from permission_guard.model.verdicts import Remedy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from permission_guard.iam import Policy
    from permission_guard.model.state import Role
    from permission_guard.model.targets import JSON

LAMBDA: Final = "lambda.amazonaws.com"
LAMBDA_STATEMENT: Final[Mapping[str, JSON]] = {
    "Effect": "Allow",
    "Principal": {"Service": LAMBDA},
    "Action": "sts:AssumeRole",
}


def statements_of(role: Role) -> list[JSON]:
    """Return the statements of a role's trust policy as they are written."""
    document = role.trust_policy.document
    raw = document.get("Statement", []) if isinstance(document, dict) else []
    return list(raw) if isinstance(raw, (list, tuple)) else [raw]


def unreadable(role: Role) -> str:
    """Return a sentence about a trust policy that cannot be read."""
    return f"The trust policy of {role.arn} cannot be read: {'; '.join(role.trust_policy.problems)}."


def sparing_lambda(statement: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a Deny that says the same of everybody but Lambda."""
    condition = dict(statement.get("Condition") or {})
    spared = {**condition.get("StringNotEqualsIfExists", {}), "aws:PrincipalServiceName": LAMBDA}
    return {**statement, "Condition": {**condition, "StringNotEqualsIfExists": spared}}


def without(statement: Mapping[str, JSON], principals: Collection[tuple[str, str]]) -> dict[str, JSON] | None:
    """Return a statement without some of its principals, pairs of type and value; None where nobody is left."""
    whom = statement.get("Principal")
    if not isinstance(whom, dict):
        return None
    left: dict[str, JSON] = {}
    for kind, values in whom.items():
        every = values if isinstance(values, list) else [values]
        kept = [value for value in every if (kind, value) not in principals]
        if kept:
            left[kind] = values if kept == every else kept[0] if len(kept) == 1 else kept
    return {**statement, "Principal": left} if left else None


def trust_policy_of(role: Role, statements: Sequence[JSON]) -> Policy:
    """Return a role's trust policy with other statements."""
    return parse_policy(_document(role, statements), name=role.trust_policy.name)


def replaced(role: Role, statements: Sequence[JSON]) -> tuple[Remedy, ...]:
    """Return how to give a role a trust policy with these statements."""
    policy = _document(role, statements)
    command = f"aws iam update-assume-role-policy --role-name {role.name} --policy-document {_quoted(policy)}"
    return Remedy("aws-cli", command), Remedy("terraform", _terraform(role.name, role.path, policy))


def created(role_arn: str, function_arn: str = "") -> tuple[Remedy, ...]:
    """Return how to make a role that is gone, and have Lambda take it up again for a function that runs with it."""
    name = role_arn.rpartition("/")[2]
    path = role_arn.partition(":role")[2].removesuffix(name)
    policy = {"Version": VARIABLES_VERSION, "Statement": [dict(LAMBDA_STATEMENT)]}
    logs = f"arn:{role_arn.split(':')[1]}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    commands = [
        f"aws iam create-role --role-name {name} --path {path} --assume-role-policy-document {_quoted(policy)}",
        f"aws iam wait role-exists --role-name {name}",
        f"aws iam attach-role-policy --role-name {name} --policy-arn {logs}",
    ]
    if function_arn:
        region, name_of_it = function_arn.split(":")[3], function_arn.split(":")[6]
        named = f"--region {region} --function-name {name_of_it}"
        commands.append(f"aws lambda update-function-configuration {named} --role {role_arn}")
    return Remedy("aws-cli", " &&\n".join(commands)), Remedy("terraform", _terraform(name, path, policy))


def _document(role: Role, statements: Sequence[JSON]) -> dict[str, JSON]:
    document = role.trust_policy.document
    head = {key: value for key, value in document.items() if key != "Statement"} if isinstance(document, dict) else {}
    return {"Version": VARIABLES_VERSION, **head, "Statement": list(statements)}


def _quoted(policy: Mapping[str, JSON]) -> str:
    return shlex.quote(json.dumps(policy))


def _terraform(name: str, path: str, policy: Mapping[str, JSON]) -> str:
    # What Terraform would take for an expression of its own is IAM's.
    written = json.dumps(policy, indent=2).replace("${", "$${").replace("\n", "\n  ")
    return (
        f'resource "aws_iam_role" "execution" {{\n'
        f'  name = "{name}"\n'
        f'  path = "{path}"\n'
        f"  assume_role_policy = jsonencode({written})\n"
        f"}}"
    )
