"""Remedies for a role's trust policy, ready to paste. IAM can only replace the whole policy."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.iam import parse_policy
from permission_guard.iam.documents import VARIABLES_VERSION
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies import terraform

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from permission_guard.iam import Policy
    from permission_guard.model.state import Role
    from permission_guard.model.targets import JSON

LAMBDA: Final = "lambda.amazonaws.com"
# It contains no single quote. With -I, Python imports nothing from the current folder.
_PROGRAM: Final = """
import json, subprocess, sys
region, role, (changes, added) = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

def aws(operation, *options):
    command = ["aws", "iam", operation, "--region", region, f"--role-name={role}", "--output", "json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"aws iam {operation} failed; its message is above.")
    return done.stdout

policy = json.loads(aws("get-role"))["Role"]["AssumeRolePolicyDocument"]
before = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
after = []
for statement in before:
    after += next((new for old, new in changes if old == statement), [statement])
after += [statement for statement in added if statement not in after]
if after == before:
    print(f"The trust policy of {role} needs no change.")
else:
    policy["Statement"] = after
    aws("update-assume-role-policy", "--policy-document", json.dumps(policy))
    print(f"The trust policy of {role} was changed.")
"""
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


def changed(
    role: Role, statements: Sequence[JSON | None], added: Sequence[JSON], region: str, changes: str
) -> tuple[Remedy, ...]:
    """Return the remedies that change statements of a role's trust policy, and add others.

    `statements` has an entry for each statement that was read: what it becomes, None if it is removed. The command
    reads the current policy and changes only these statements, so that no remedy undoes another.
    """
    pairs = [[old, [] if new is None else [new]] for old, new in zip(statements_of(role), statements, strict=True)]
    arguments = (region, role.name, json.dumps([[pair for pair in pairs if pair[1] != [pair[0]]], added]))
    command = " ".join(["python3", "-I", "-c", *map(shlex.quote, (_PROGRAM, *arguments))])
    policy = _document(role, [*(new for new in statements if new is not None), *added])
    trust = terraform.jsonencode(policy)
    block = terraform.change("aws_iam_role", f"the role {role.name}", assume_role_policy=trust)
    return Remedy("aws-cli", command, changes=changes), Remedy("terraform", block, changes=changes)


def _document(role: Role, statements: Sequence[JSON]) -> dict[str, JSON]:
    document = role.trust_policy.document
    head = {key: value for key, value in document.items() if key != "Statement"} if isinstance(document, dict) else {}
    return {"Version": VARIABLES_VERSION, **head, "Statement": list(statements)}
