"""Cures for a resource-based policy, ready to paste: for the AWS CLI, for SAM and CloudFormation, for Terraform."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.invokers import Sent
from permission_guard.model import Remedy
from permission_guard.rules.permissions import Permission, permissions_of, sid, statement_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from permission_guard.iam import Statement
    from permission_guard.invokers import Invoker
    from permission_guard.model import JSON, ResourcePolicy
    from permission_guard.rules.statements import Allowed
    from permission_guard.triggers import Trigger

_REMOVABLE_SID: Final = re.compile(r"[a-zA-Z0-9-_.]{1,100}", re.ASCII)
_MOST_SOURCES: Final = 10
_INVOKING: Final = {
    "lambda:invokefunction": "lambda:InvokeFunction",
    "lambda:invokefunctionurl": "lambda:InvokeFunctionUrl",
}
_TO_REMOVE: Final = "# Remove what says this, or the setting that makes a tool write it:\n"


# ── Statements to put in another's place ────────────────────────────────────────────────────────────────────────────


def scoped(allowed: Allowed, invoker: Invoker, principal: str) -> list[dict[str, JSON]]:
    """Return statements that let a service in for its true sources only.

    They are those that were seen to be set up; where none was, the name of the source is left for a person to fill in.
    No key is asked for that the service is not known to send: with that, it would never call again.
    """
    target = allowed.snapshot.target
    form = invoker.source_arn.format(partition=target.partition, region=target.region, account=target.account)
    triggers = () if invoker.account_suffices else allowed.triggers_of(invoker)[:_MOST_SOURCES]
    sources = [(source_arn(trigger), trigger.source_account) for trigger in triggers] or [(form, target.account)]
    wanted = [(arn, account, action) for arn, account in sources for action in _invoking(allowed)]
    return [
        _statement(
            allowed,
            f"-scoped-{number}" if len(wanted) > 1 else "-scoped",
            principal,
            action,
            source_arn="" if invoker.account_suffices else arn,
            source_account=account if needs_account(invoker) else "",
        )
        for number, (arn, account, action) in enumerate(wanted, start=1)
    ]


def with_token(allowed: Allowed, principal: str) -> dict[str, JSON]:
    """Return the statement of an Alexa skill; its id is for a person to fill in."""
    return _statement(
        allowed,
        "-scoped",
        principal,
        "lambda:InvokeFunction",
        event_source_token="amzn1.ask.skill.SKILL-ID",  # noqa: S106
    )


def changed(allowed: Allowed, suffix: str, **elements: JSON) -> dict[str, JSON]:
    """Return the statement with some of its elements changed, and a Sid of its own."""
    return {**allowed.statement.raw, **elements, "Sid": sid(allowed.name, suffix)}


def needs_account(invoker: Invoker) -> bool:
    """Tell whether a statement for a service is to name the account of the source."""
    silent = invoker.source_arn_has_account and invoker.sends_source_account is not Sent.YES
    return invoker.account_suffices or not silent


def source_arn(trigger: Trigger) -> str:
    """Return the `aws:SourceArn` that lets a trigger in, whichever of its ARNs it sends."""
    return trigger.source_arns[0] if len(trigger.source_arns) == 1 else trigger.source


# ── Cures ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def replaced(
    allowed: Allowed, statements: Sequence[dict[str, JSON]], principals: Collection[str]
) -> tuple[Remedy, ...]:
    """Return the cure that puts statements in the place of what one grants to some principals.

    They are added first, so that no event is lost. What the statement grants to others stays as it is.
    """
    policy, name = allowed.policy, allowed.statement.sid
    permissions = [permissions_of(statement, policy.resource_arn) for statement in statements]
    others = _others(allowed, principals)
    if not all(permissions):  # AddPermission, and so CloudFormation and Terraform, cannot say it
        text = json.dumps(statements[0] if len(statements) == 1 else list(statements), indent=2)
        new = [*others, *statements]
        return (Remedy("aws-cli", _put(policy, allowed.statement, new)), Remedy("policy-statement", text))
    flat = [permission for group in permissions for permission in group]
    if _is_removable(name) and not others:
        commands = "\n".join([*(permission.to_cli() for permission in flat), _remove(policy, str(name))])
    else:  # it cannot be removed by name, but the whole policy can be put in its place
        commands = _put(policy, allowed.statement, [*others, *statements])
    return (
        Remedy("aws-cli", commands),
        Remedy("sam", "\n---\n".join(permission.to_sam() for permission in flat)),
        Remedy("terraform", "\n\n".join(permission.to_terraform() for permission in flat)),
    )


def removed(allowed: Allowed, principals: Collection[str]) -> tuple[Remedy, ...]:
    """Return the cure that takes away what a statement grants to some principals."""
    policy, name = allowed.policy, allowed.statement.sid
    others = _others(allowed, principals)
    by_name = _is_removable(name) and not others
    command = _remove(policy, str(name)) if by_name else _put(policy, allowed.statement, others)
    written = permissions_of(dict(allowed.statement.raw), policy.resource_arn)
    gone = [permission for permission in written if permission.principal in principals] if others else written
    if not gone:
        return (Remedy("aws-cli", command),)
    return (
        Remedy("aws-cli", command),
        Remedy("sam", _each(_TO_REMOVE, gone, Permission.to_sam, "\n---\n")),
        Remedy("terraform", _each(_TO_REMOVE, gone, Permission.to_terraform, "\n\n")),
    )


def added(permission: Permission) -> tuple[Remedy, ...]:
    """Return the cure that adds a permission."""
    return (
        Remedy("aws-cli", permission.to_cli()),
        Remedy("sam", permission.to_sam()),
        Remedy("terraform", permission.to_terraform()),
    )


def _each(head: str, permissions: Sequence[Permission], form: Callable[[Permission], str], between: str) -> str:
    return head + between.join(map(form, permissions))


def _statement(allowed: Allowed, suffix: str, principal: str, action: str, **conditions: str) -> dict[str, JSON]:
    arn = allowed.policy.resource_arn
    name = sid(allowed.name, suffix)
    return statement_of(
        Permission(function_name="", statement_id=name, action=action, principal=principal, **conditions),  # type: ignore[arg-type]
        arn,
    )


def _invoking(allowed: Allowed) -> list[str]:
    """Return the actions that the statement grants and that invoke; of a pattern, what services call."""
    named = [_INVOKING[text.lower()] for text in allowed.statement.action_texts if text.lower() in _INVOKING]
    return list(dict.fromkeys(named)) or ["lambda:InvokeFunction"]


def _others(allowed: Allowed, principals: Collection[str]) -> list[dict[str, JSON]]:
    """Return the statement for its other principals, or nothing when there are none."""
    written = allowed.statement.raw.get("Principal")
    if not isinstance(written, dict):
        return []
    kept = {
        kind: rest
        for kind, values in written.items()
        if (rest := [value for value in (values if isinstance(values, list) else [values]) if value not in principals])
    }
    return [{**allowed.statement.raw, "Principal": kept}] if kept else []


def _is_removable(name: str | None) -> bool:
    return name is not None and _REMOVABLE_SID.fullmatch(name) is not None


def _remove(policy: ResourcePolicy, name: str) -> str:
    function = policy.resource_arn.split(":")[6]
    qualifier = f" --qualifier {shlex.quote(policy.qualifier)}" if policy.qualifier else ""
    return f"aws lambda remove-permission --function-name {function}{qualifier} --statement-id {shlex.quote(name)}"


def _put(policy: ResourcePolicy, without: Statement, instead: Sequence[dict[str, JSON]]) -> str:
    """Return the command that writes the whole policy anew, if nobody has changed it since."""
    kept = [dict(item.raw) for item in policy.document.statements if item is not without]
    revision = f" --revision-id {shlex.quote(policy.revision_id)}" if policy.revision_id else ""
    if not [*kept, *instead]:
        return f"aws lambda delete-resource-policy --resource-arn {policy.resource_arn}{revision}"
    document = json.dumps({"Version": "2012-10-17", "Statement": [*kept, *instead]})
    named = f"--resource-arn {policy.resource_arn}{revision}"
    return f"aws lambda put-resource-policy {named} --policy {shlex.quote(document)}"
