"""The remedies for function URLs that only their owner can choose: nothing happens to who pastes all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.cloudformation import sam
from permission_guard.remedies.decisions import choices, commented

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.remedies.permission import Permission

_OF_THE_URL: Final = (
    "Without the URL, its callers find nothing. With authentication, only signed calls of allowed identities succeed."
)
_OF_EVERYONE: Final = "With the permission, everyone can run the function at your cost, and PG107 reports it."
_AUTHENTICATION: Final = {
    "sam": "with AuthType: AWS_IAM",
    "cdk": "with authType: lambda.FunctionUrlAuthType.AWS_IAM",
    "terraform": 'with authorization_type = "AWS_IAM"',
}


def choose_for_url(
    function: Permission, removals: Sequence[Remedy], missing: Sequence[Permission]
) -> tuple[Remedy, ...]:
    """Return the choices for a URL without authentication: delete it, require authentication, or publish it.

    `function` names the function or alias. `removals` take away what everyone may do already: without the URL, or with
    authentication, it would be left behind. `missing` are the permissions that publish the URL; none if a Deny
    statement denies everyone.
    """
    named = {"function_name": function.function_name, "qualifier": function.qualifier}
    also = [remedy.text for remedy in removals if remedy.kind == "aws-cli"]
    delete = aws("lambda", "delete-function-url-config", function.region, **named)
    require = aws("lambda", "update-function-url-config", function.region, **named, auth_type="AWS_IAM")
    options = [
        ("Delete the URL", " &&\n".join([delete, *also])),
        ("Require authentication", " &&\n".join([require, *also])),
    ]
    without = ", and remove what everyone may do" if also else ""
    others = {
        kind: [f"Delete the URL{without}", f"Require authentication, {how}{without}"]
        for kind, how in _AUTHENTICATION.items()
    }
    if not missing:
        return tuple(_choice(options, others, "", (), _OF_THE_URL))
    publish = "Let anyone on the Internet call the function"
    return tuple(_choice(options, others, publish, missing, f"{_OF_THE_URL} {_OF_EVERYONE}"))


def choose_for_everyone(removals: Sequence[Remedy], permission: Permission, statement: str) -> tuple[Remedy, ...]:
    """Return the choices for a statement with half of what a URL requires for everyone: remove it, or add the rest."""
    last = "Let every AWS account call the function"
    return tuple(_choice(*_removal(removals, statement), last, [permission], _OF_EVERYONE))


def choose_to_trust(
    removals: Sequence[Remedy], permission: Permission, statement: str, account: str
) -> tuple[Remedy, ...]:
    """Return the choices for a caller of an account that is not trusted, and has half of what a URL requires."""
    last = f"Trust account {account}, and add the other half"
    before = f"# Add {account} to trust.accounts in guard.yaml, or PG106 reports the statements."
    changes = f"Without the statement, {permission.principal} has no half left. With both, it can call the function."
    return tuple(_choice(*_removal(removals, statement), f"{last}\n{before}", [permission], changes))


def _removal(removals: Sequence[Remedy], statement: str) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """Return the option to remove a statement, as a command and in infrastructure code."""
    remove = f"Remove statement {statement}"
    commands = "\n".join(remedy.text for remedy in removals if remedy.kind == "aws-cli")
    return [(remove, commands)], {kind: [remove] for kind in _AUTHENTICATION}


def _choice(
    options: Sequence[tuple[str, str]],
    others: dict[str, list[str]],
    last: str,
    permissions: Sequence[Permission],
    changes: str,
) -> Iterator[Remedy]:
    """Yield the options as commands and in infrastructure code; the last one adds permissions, if there are any.

    A comment after `last`, on a line of its own, is what must be done before.
    """
    last, _, before = last.partition("\n")
    commands = " &&\n".join(permission.to_cli() for permission in permissions)
    add = [(last, f"{before}\n{commands}".lstrip("\n"))] if permissions else []
    yield Remedy("aws-cli", choices(*options, *add), needs_decision=True, changes=changes)
    forms = {
        "sam": "\n---\n".join(permission.to_sam() for permission in permissions),
        "cdk": "\n".join(permission.to_cdk() for permission in permissions),
        "terraform": "\n\n".join(permission.to_terraform() for permission in permissions),
    }
    for kind, text in forms.items():
        named = ". Or: ".join([*others[kind], *([last] if permissions else [])])
        end = f":\n{text}" if text else "."
        full = commented(f"Choose one of these. {named}{end}", "//" if kind == "cdk" else "#")
        if kind == "sam":
            yield from sam(full, needs_decision=True, changes=changes)
        else:
            yield Remedy(kind, full, needs_decision=True, changes=changes)
