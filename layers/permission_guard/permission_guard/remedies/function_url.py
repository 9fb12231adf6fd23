"""The remedy for a function URL without authentication: a decision, which only the owner can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.cloudformation import sam
from permission_guard.remedies.decisions import choices, commented

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.remedies.permission import Permission

_CHANGES = (
    "Without the URL, its callers find nothing. With authentication, only signed calls of allowed identities succeed. "
    "With the permission, anyone can run the function at your cost."
)


def choose(permissions: Sequence[Permission]) -> tuple[Remedy, ...]:
    """Return the three choices, as comments: nothing happens to who pastes all of them.

    `permissions` publish the URL.
    """
    first = permissions[0]
    named = {"function_name": first.function_name, "qualifier": first.qualifier}
    commands = choices(
        ("Delete the URL", aws("lambda", "delete-function-url-config", first.region, **named)),
        (
            "Require authentication",
            aws("lambda", "update-function-url-config", first.region, **named, auth_type="AWS_IAM"),
        ),
        (
            "Let anyone on the Internet call the function",
            " && ".join(permission.to_cli() for permission in permissions),
        ),
    )
    in_code = (
        "Choose one of these. Delete the URL. Or: Require authentication, with {}. Or: Let anyone on the Internet call:"
    )
    resources = "\n---\n".join(permission.to_sam() for permission in permissions)
    calls = "\n".join(permission.to_cdk() for permission in permissions)
    blocks = "\n\n".join(permission.to_terraform() for permission in permissions)
    by_kind = {"sam": ("AuthType: AWS_IAM", resources), "terraform": ('authorization_type = "AWS_IAM"', blocks)}
    texts = {kind: commented(f"{in_code.format(setting)}\n{text}") for kind, (setting, text) in by_kind.items()}
    for_cdk = commented(f"{in_code.format('authType: AWS_IAM')}\n{calls}", "//")
    return (
        Remedy("aws-cli", commands, needs_decision=True, changes=_CHANGES),
        *sam(texts["sam"], needs_decision=True, changes=_CHANGES),
        Remedy("cdk", for_cdk, needs_decision=True, changes=_CHANGES),
        Remedy("terraform", texts["terraform"], needs_decision=True, changes=_CHANGES),
    )
