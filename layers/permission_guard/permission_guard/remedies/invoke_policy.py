"""Cures for a resource-based policy, ready to paste: for the AWS CLI, for SAM and CloudFormation, for Terraform."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.iam import SOURCE_KEYS
from permission_guard.iam.arn import PARTS
from permission_guard.iam.glob import compile_glob
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES
from permission_guard.invokers import Sent, cloudfront, never_sent
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.permission import Permission, permissions_of, sid, statement_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from permission_guard.iam import Statement
    from permission_guard.invokers import Invoker
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.state import ResourcePolicy, Trigger
    from permission_guard.model.targets import JSON

# What RemovePermission takes; one that begins with a dash would be an option of the command.
_REMOVABLE_SID: Final = re.compile(r"[a-zA-Z0-9_.][a-zA-Z0-9-_.]{0,99}", re.ASCII)
_MOST_SOURCES: Final = 10
_INVOKING: Final = {
    "lambda:invokefunction": "lambda:InvokeFunction",
    "lambda:invokefunctionurl": "lambda:InvokeFunctionUrl",
}
# What a scoped statement says anew, and what of the present one says nothing of a service, or is never true for it.
_OF_THE_SOURCE: Final = SOURCE_KEYS | NOT_SENT_BY_SERVICES | {"lambda:eventsourcetoken", "aws:principalisawsservice"}
_TO_REMOVE: Final = "# Remove what says this, or the setting that makes a tool write it:\n"


# ── Statements to put in another's place ────────────────────────────────────────────────────────────────────────────


def scoped(allowed: Allowed, invoker: Invoker, principal: str) -> list[dict[str, JSON]]:
    """Return statements that let a service in for its true sources only.

    They are those that were seen to be set up and that the statement lets in; where none was, those that it names, each
    in the function's own account; where it names none, the name of the source is left for a person to fill in. No key
    is asked for that the service is not known to send: with that, it would never call again.
    """
    sources = [("", allowed.snapshot.target.account)] if invoker.account_suffices else _sources(allowed, invoker)
    return [
        _statement(allowed, principal, action, source_arn=arn, source_account=account if needs_account(invoker) else "")
        for arn, account in sources
        for action in _invoking(allowed, invoker)
    ]


def with_token(allowed: Allowed, principal: str) -> dict[str, JSON]:
    """Return the statement of an Alexa skill; its id is for a person to fill in."""
    token = "amzn1.ask.skill.SKILL-ID"  # noqa: S105
    return _statement(allowed, principal, "lambda:InvokeFunction", event_source_token=token)


def changed(allowed: Allowed, suffix: str, **elements: JSON) -> dict[str, JSON]:
    """Return the statement with some of its elements changed, and a Sid of its own."""
    return {**allowed.statement.raw, **elements, "Sid": sid(allowed.name, suffix)}


def condition_of(allowed: Allowed) -> dict[str, dict[str, JSON]]:
    """Return the statement's Condition element, as far as it is one."""
    block = allowed.statement.raw.get("Condition")
    return {
        operator: dict(keys)
        for operator, keys in (block.items() if isinstance(block, dict) else ())
        if isinstance(keys, dict)
    }


def needs_account(invoker: Invoker) -> bool:
    """Tell whether a statement for a service is to name the account of the source."""
    silent = invoker.source_arn_has_account and invoker.sends_source_account is not Sent.YES
    return invoker.account_suffices or not silent


def source_arn(trigger: Trigger) -> str:
    """Return the `aws:SourceArn` that lets a trigger in, whichever of its ARNs it sends."""
    return trigger.source_arns[0] if len(trigger.source_arns) == 1 else trigger.source


def _sources(allowed: Allowed, invoker: Invoker) -> list[tuple[str, str]]:
    """Return ARN and account of each source of a service that a statement is to let in."""
    named = [compile_glob(arn) for arn in allowed.source_arns()]
    triggers = allowed.triggers_of(invoker)
    meant = [each for each in triggers if any(glob.matches(arn) for glob in named for arn in each.source_arns)]
    if meant:
        return _together(meant)
    target = allowed.snapshot.target
    form = invoker.source_arn.format(partition=target.partition, region=target.region, account=target.account)
    return _named(allowed, invoker) or _together(triggers) or [(form, target.account)]


def _together(triggers: Collection[Trigger]) -> list[tuple[str, str]]:
    """Return ARN and account of each trigger; of many, what they have in common, or the policy grows too long."""
    sources = list(dict.fromkeys((source_arn(trigger), trigger.source_account) for trigger in triggers))
    if len(sources) <= _MOST_SOURCES:
        return sources
    return list(dict.fromkeys((":".join([*arn.split(":")[:5], "*"]), account) for arn, account in sources))


def _named(allowed: Allowed, invoker: Invoker) -> list[tuple[str, str]]:
    """Return ARN and account of the sources that a statement names, where theirs is not trusted in the own account."""
    own, trusted = allowed.snapshot.target.account, allowed.trust.accounts
    found = []
    for parts in (arn.split(":", PARTS - 1) for arn in allowed.source_arns() if invoker.admits(arn)):
        if len(parts) != PARTS:
            return []
        if not compile_glob(parts[1]).matches(allowed.snapshot.target.partition):
            continue  # what calls here is of the same partition
        account = parts[4] if parts[4] in trusted else own
        found.append((":".join([*parts[:4], account if invoker.source_arn_has_account else "", parts[5]]), account))
    return list(dict.fromkeys(found))


# ── Cures ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def replaced(
    allowed: Allowed, statements: Sequence[dict[str, JSON]], principals: Collection[str]
) -> tuple[Remedy, ...]:
    """Return the cure that puts statements in the place of what one grants to some principals.

    They are added first, so that no event is lost, and the old one goes only when all of that has worked. What the
    statement grants to others stays as it is.
    """
    policy, name = allowed.policy, allowed.statement.sid
    named = _each_named(allowed, statements)
    permissions = [permissions_of(statement, policy.resource_arn) for statement in named]
    others = _others(allowed, principals)
    if not all(permissions):  # AddPermission, and so CloudFormation and Terraform, cannot say it
        text = json.dumps(named[0] if len(named) == 1 else named, indent=2)
        return (Remedy("aws-cli", _put(policy, allowed.statement, [*others, *named])), Remedy("policy-statement", text))
    flat = [permission for group in permissions for permission in group]
    if _is_removable(name) and not others:
        commands = " &&\n".join([*(permission.to_cli() for permission in flat), _remove(policy, str(name))])
    else:  # it cannot be removed by name, but the whole policy can be put in its place
        commands = _put(policy, allowed.statement, [*others, *named])
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


def _statement(allowed: Allowed, principal: str, action: str, **conditions: str) -> dict[str, JSON]:
    """Return a statement as AddPermission writes it, with what the present one asks besides."""
    name = sid(allowed.name, "-scoped")
    permission = Permission(function_name="", statement_id=name, action=action, principal=principal, **conditions)  # type: ignore[arg-type]
    statement = statement_of(permission, allowed.policy.resource_arn)
    condition: dict[str, JSON] = dict(statement.get("Condition", {}))
    skipped = _OF_THE_SOURCE | never_sent(principal)
    for operator, keys in condition_of(allowed).items():
        besides = {key: values for key, values in keys.items() if key.lower() not in skipped}
        if besides:
            condition[operator] = {**besides, **condition.get(operator, {})}
    return {**statement, "Condition": condition} if condition else statement


def _each_named(allowed: Allowed, statements: Sequence[dict[str, JSON]]) -> list[dict[str, JSON]]:
    """Return statements with Sids that neither another one of them has nor the policy: it takes each but once."""
    taken = {item.sid for item in allowed.policy.document.statements}
    named = []
    for statement in statements:
        name, number = str(statement["Sid"]), 1
        while name in taken:
            number += 1
            name = sid(str(statement["Sid"]), f"-{number}")
        taken.add(name)
        named.append({**statement, "Sid": name})
    return named


def _invoking(allowed: Allowed, invoker: Invoker) -> list[str]:
    """Return the actions that the statement grants and that invoke; of a pattern, what the service calls."""
    named = [_INVOKING[text.lower()] for text in allowed.statement.action_texts if text.lower() in _INVOKING]
    by_url = invoker.principal == cloudfront.INVOKER.principal
    return list(dict.fromkeys(named)) or list(_INVOKING.values() if by_url else ["lambda:InvokeFunction"])


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
    written = policy.document.document
    head = written if isinstance(written, dict) else {}  # its version says whether variables are known, so it stays
    document = json.dumps({**head, "Statement": [*kept, *instead]})
    named = f"--resource-arn {policy.resource_arn}{revision}"
    return f"aws lambda put-resource-policy {named} --policy {shlex.quote(document)}"
