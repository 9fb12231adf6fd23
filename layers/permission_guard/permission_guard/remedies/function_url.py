"""The remedy for a function URL without authentication: a decision, which only the owner can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.cloudformation import sam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.remedies.permission import Permission


def choose(permissions: Sequence[Permission]) -> tuple[Remedy, ...]:
    """Return the three choices, as comments: nothing happens to who pastes all of them.

    `permissions` publish the URL.
    """
    first = permissions[0]
    named = {"function_name": first.function_name, "qualifier": first.qualifier}
    commands = [
        "Choose one of these. Delete the URL:",
        aws("lambda", "delete-function-url-config", **named),
        "Or require authentication:",
        aws("lambda", "update-function-url-config", **named, auth_type="AWS_IAM"),
        "Or let anyone on the Internet call the function:",
        " && ".join(permission.to_cli() for permission in permissions),
    ]
    in_code = "Choose one: delete the URL, set its {}, or let anyone on the Internet call the function:"
    resources = "\n---\n".join(permission.to_sam() for permission in permissions)
    blocks = "\n\n".join(permission.to_terraform() for permission in permissions)
    return (
        Remedy("aws-cli", _comments("\n".join(commands))),
        *sam(_comments(f"{in_code.format('AuthType to AWS_IAM')}\n{resources}")),
        Remedy("terraform", _comments(f"{in_code.format('authorization_type to AWS_IAM')}\n{blocks}")),
    )


def _comments(text: str) -> str:
    return "\n".join(f"# {line}" if line else "#" for line in text.split("\n"))
