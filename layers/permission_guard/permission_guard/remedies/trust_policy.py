"""Remedies for a role's trust policy, ready to paste: always the whole policy, because IAM can only replace it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.iam.arn import function_name, require_arn
from permission_guard.iam.documents import VARIABLES_VERSION
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies import terraform
from permission_guard.remedies.aws_cli import aws

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
    """Return the statements of a role's trust policy as the document has them."""
    document = role.trust_policy.document
    raw = document.get("Statement", []) if isinstance(document, dict) else []
    return list(raw) if isinstance(raw, (list, tuple)) else [raw]


def unreadable(role: Role) -> str:
    """Return the reason of an unknown verdict on a trust policy that cannot be read."""
    return f"Unknown: the trust policy of {role.arn} cannot be read: {'; '.join(role.trust_policy.problems)}."


def except_lambda(statement: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a Deny that excludes Lambda."""
    condition = dict(statement.get("Condition") or {})
    excluded = {**condition.get("StringNotEqualsIfExists", {}), "aws:PrincipalServiceName": LAMBDA}
    return {**statement, "Condition": {**condition, "StringNotEqualsIfExists": excluded}}


def without(statement: Mapping[str, JSON], principals: Collection[tuple[str, str]]) -> dict[str, JSON] | None:
    """Return a statement without some principals, pairs of type and value; None if no principal is left."""
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return None
    left: dict[str, JSON] = {}
    for kind, values in principal.items():
        every = values if isinstance(values, list) else [values]
        kept = [value for value in every if (kind, value) not in principals]
        if kept:
            left[kind] = values if kept == every else kept[0] if len(kept) == 1 else kept
    return {**statement, "Principal": left} if left else None


def trust_policy_of(role: Role, statements: Sequence[JSON]) -> Policy:
    """Return a role's trust policy with other statements."""
    return parse_policy(_document(role, statements), name=role.trust_policy.name)


def replaced(role: Role, statements: Sequence[JSON], region: str) -> tuple[Remedy, ...]:
    """Return the remedies that replace a role's trust policy with these statements."""
    policy = _document(role, statements)
    changes = f"The whole trust policy of {role.name} is replaced: whoever changes it meanwhile loses that change."
    command = aws("iam", "update-assume-role-policy", region, role_name=role.name, policy_document=json.dumps(policy))
    trust = terraform.jsonencode(policy)
    block = terraform.change("aws_iam_role", f"the role {role.name}", assume_role_policy=trust)
    return Remedy("aws-cli", command, changes=changes), Remedy("terraform", block, changes=changes)


def created(role_arn: str, region: str, function_arn: str = "") -> tuple[Remedy, ...]:
    """Return the remedies that recreate a deleted role, and set it again on a function that uses it."""
    name = role_arn.rpartition("/")[2]
    path = role_arn.partition(":role")[2].removesuffix(name)
    policy = {"Version": VARIABLES_VERSION, "Statement": [dict(LAMBDA_STATEMENT)]}
    logs = f"arn:{require_arn(role_arn).partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    commands = [
        aws("iam", "create-role", region, role_name=name, path=path, assume_role_policy_document=json.dumps(policy)),
        aws("iam", "wait role-exists", region, role_name=name),
        aws("iam", "attach-role-policy", region, role_name=name, policy_arn=logs),
    ]
    if function_arn:
        commands.append(set_role(function_arn, role_arn))
    return Remedy("aws-cli", " &&\n".join(commands)), Remedy("terraform", _terraform(name, path, policy))


def set_role(function_arn: str, role_arn: str) -> str:
    """Return the AWS CLI command that sets the execution role of a function."""
    region, name = require_arn(function_arn).region, function_name(function_arn)
    return aws("lambda", "update-function-configuration", region, function_name=name, role=role_arn)


def _document(role: Role, statements: Sequence[JSON]) -> dict[str, JSON]:
    document = role.trust_policy.document
    head = {key: value for key, value in document.items() if key != "Statement"} if isinstance(document, dict) else {}
    return {"Version": VARIABLES_VERSION, **head, "Statement": list(statements)}


def _terraform(name: str, path: str, policy: Mapping[str, JSON]) -> str:
    trust = terraform.jsonencode(policy)
    return terraform.resource("aws_iam_role", [name], name=name, path=path, assume_role_policy=trust)
