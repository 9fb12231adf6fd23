"""Remedies for a resource-based policy: AWS CLI commands, and SAM, CloudFormation and Terraform resources."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import SOURCE_KEYS
from permission_guard.iam.arn import PARTS, function_name, require_arn, split_arn
from permission_guard.iam.glob import compile_glob
from permission_guard.iam.principals import ANY_SERVICE, ANYONE
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES, SERVICE_NAME_KEYS
from permission_guard.invokers import Sent, cloudfront, never_sent
from permission_guard.model.names import STATEMENT_ID
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.cloudformation import sam
from permission_guard.remedies.decisions import commented, placeholder, to_fill_in
from permission_guard.remedies.permission import Permission, permissions_of, sid, statement_of
from permission_guard.remedies.sources import by_arn_alone, condition_of
from permission_guard.remedies.statement_replacement import replace_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from permission_guard.invokers import Invoker
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.state import ResourcePolicy, Trigger
    from permission_guard.model.targets import JSON

_MOST_SOURCES: Final = 10
_MOST_SERVICES: Final = 20
_MOST_PERMISSIONS: Final = 50
"""With more permissions, the remedy is one statement of a policy: a policy of the greatest size has hundreds."""
_INVOKING: Final = {
    "lambda:invokefunction": "lambda:InvokeFunction",
    "lambda:invokefunctionurl": "lambda:InvokeFunctionUrl",
}
# The condition keys that a scoped statement replaces, and those that services never send or always satisfy.
_REPLACED_KEYS: Final = (
    SOURCE_KEYS | NOT_SENT_BY_SERVICES | SERVICE_NAME_KEYS | {"lambda:eventsourcetoken", "aws:principalisawsservice"}
)
_SAVE: Final = "step 1 of 2: save the policy, and see who used the statement"
_WHO_INVOKES: Final = "# CloudTrail shows who invokes the function only if a trail records data events of Lambda."
_TAKE_AWAY: Final = "step 2 of 2: take the rights away"
_BETWEEN: Final = {"aws-cli": " &&\n", "sam": "\n# ---\n", "terraform": "\n\n"}
_TO_REMOVE: Final = "Remove this resource, or the setting from which a tool generates it:\n"


# ── Replacement statements ──────────────────────────────────────────────────────────────────────────────────────────


def scoped(allowed: Allowed, invoker: Invoker, principal: str) -> list[dict[str, JSON]]:
    """Return statements that allow a service for its actual sources only.

    The sources are the first of these that exist: the configured triggers that the present statement allows; the
    sources that it names, each in the function's own account; all configured triggers; a placeholder for the name. A
    statement requires only keys that the service is known to send, because another key would deny all its calls. For
    `*`, which stands for every service, there is no such statement.
    """
    if principal == ANY_SERVICE[1]:
        return []
    sources = [("", allowed.snapshot.target.account)] if invoker.account_suffices else _sources(allowed, invoker)
    return [one for arn, account in sources for one in scoped_to(allowed, invoker, principal, arn, account)]


def scoped_to(allowed: Allowed, invoker: Invoker, principal: str, arn: str, account: str) -> list[dict[str, JSON]]:
    """Return statements, one for each action, that allow a service for the sources with an ARN, of one account."""
    target = allowed.snapshot.target
    sent = invoker.principals_of(arn, target.partition, target.region)
    conditions = {"source_arn": arn, "source_account": account if needs_account(invoker) else ""}
    return [
        _statement(allowed, sent[0] if len(sent) == 1 else principal, action, **conditions)
        for action in _invoking(allowed, invoker)
    ]


def narrowed_to_sources(allowed: Allowed, found: Sequence[tuple[Invoker, str]]) -> list[dict[str, JSON]]:
    """Return statements that allow services, pairs of an entry and a principal, for their actual sources only.

    Many services together are allowed for all sources of this account.
    """
    if len(found) <= _MOST_SERVICES:
        return [statement for invoker, principal in found for statement in scoped(allowed, invoker, principal)]
    target = allowed.snapshot.target
    by_account = [principal for invoker, principal in found if needs_account(invoker)]
    by_arn = [principal for invoker, principal in found if not needs_account(invoker)]
    groups = (
        (by_account, {"source_account": target.account}),
        (by_arn, {"source_arn": f"arn:{target.partition}:*:*:{target.account}:*"}),
    )
    return [
        {**_statement(allowed, principals[0], action, **conditions), "Principal": {"Service": principals}}
        for principals, conditions in groups
        if principals
        for action in _invoking(allowed, found[0][0])
    ]


def with_token(allowed: Allowed, principal: str) -> dict[str, JSON]:
    """Return the statement for an Alexa skill, with a placeholder for its id."""
    token = f"amzn1.ask.skill.{placeholder('SKILL-ID')}"
    return _statement(allowed, principal, "lambda:InvokeFunction", event_source_token=token)


def changed(allowed: Allowed, suffix: str, **elements: JSON) -> dict[str, JSON]:
    """Return the statement with some elements changed and a new Sid."""
    statement = {**allowed.statement.raw, **elements, "Sid": sid(allowed.name, suffix)}
    return by_arn_alone(statement, allowed.snapshot.target.region)


def needs_account(invoker: Invoker) -> bool:
    """Return whether a statement for a service should name the account of the source."""
    arn_is_enough = invoker.source_arn_has_account and invoker.sends_source_account is not Sent.YES
    return invoker.account_suffices or not arn_is_enough


def source_arn(trigger: Trigger) -> str:
    """Return the `aws:SourceArn` that allows a trigger, whichever of its ARNs the service sends."""
    return trigger.source_arns[0] if len(trigger.source_arns) == 1 else trigger.source


def _sources(allowed: Allowed, invoker: Invoker) -> list[tuple[str, str]]:
    """Return ARN and account of each source of a service that the new statements should allow."""
    triggers = allowed.triggers_of(invoker)
    named = [compile_glob(arn) for arn in allowed.source_arns()] if triggers else []
    allowed_now = [each for each in triggers if any(glob.matches(arn) for glob in named for arn in each.source_arns)]
    if allowed_now:
        return _combined(allowed_now)
    target = allowed.snapshot.target
    form = invoker.source_arn.format(partition=target.partition, region=target.region, account=target.account)
    names = sorted(invoker.names, key=len, reverse=True)
    form = re.sub("|".join(names), lambda match: placeholder(match[0]), form) if names else form
    return _named(allowed, invoker) or _combined(triggers) or [(form, target.account)]


def _combined(triggers: Collection[Trigger]) -> list[tuple[str, str]]:
    """Return ARN and account of each trigger; of many triggers a common pattern, to limit the size of the policy."""
    sources = list(dict.fromkeys((source_arn(trigger), trigger.source_account) for trigger in triggers))
    if len(sources) <= _MOST_SOURCES:
        return sources
    return list(dict.fromkeys((":".join([*split_arn(arn)[: PARTS - 1], "*"]), account) for arn, account in sources))


def _named(allowed: Allowed, invoker: Invoker) -> list[tuple[str, str]]:
    """Return ARN and account of the sources that a statement names, with this account in place of an untrusted one."""
    own, trusted = allowed.snapshot.target.account, allowed.trust.accounts
    found = []
    for parts in (split_arn(arn) for arn in map(invoker.corrected, allowed.source_arns()) if invoker.admits(arn)):
        if len(parts) != PARTS:
            return []
        if not compile_glob(parts[1]).matches(allowed.snapshot.target.partition):
            continue  # a service invokes only functions of its own partition
        account = parts[4] if parts[4] in trusted else own
        found.append((":".join([*parts[:4], account if invoker.source_arn_has_account else "", parts[5]]), account))
    if len(found) > _MOST_PERMISSIONS:
        target = allowed.snapshot.target
        form = invoker.source_arn.format(partition=target.partition, region="*", account=own)
        return [(":".join([*split_arn(form)[: PARTS - 1], "*"]), own)]
    return list(dict.fromkeys(found))


# ── Remedies ────────────────────────────────────────────────────────────────────────────────────────────────────────


def replaced(
    allowed: Allowed, statements: Sequence[dict[str, JSON]], principals: Collection[str], changes: str = ""
) -> tuple[Remedy, ...]:
    """Return the remedy that replaces what a statement grants to some principals by other statements.

    The commands add the new statements first, so that no event is lost, and remove the old one only if all of them
    succeed. They keep what the old statement grants to other principals. `changes` says what else changes.
    """
    policy, name = allowed.policy, allowed.statement.sid
    changes = changes or f"The statement {allowed.name} is replaced: calls that only it allows are denied."
    named = _each_named(allowed, statements)
    permissions = [permissions_of(statement, policy.resource_arn) for statement in named]
    others = _others(allowed, principals)
    # AddPermission cannot express some statements, and so neither can CloudFormation and Terraform.
    if not all(permissions) or sum(map(len, permissions)) > _MOST_PERMISSIONS:
        text = json.dumps(named[0] if len(named) == 1 else named, indent=2)
        command = _replace(allowed, [*others, *named])
        return to_fill_in(
            [Remedy("aws-cli", command, changes=changes), Remedy("policy-statement", text, changes=changes)]
        )
    flat = [permission for group in permissions for permission in group]
    if _is_removable(name) and not others:
        commands = " &&\n".join([*(permission.to_cli() for permission in flat), _remove(policy, str(name))])
    else:  # RemovePermission cannot name the statement, but PutResourcePolicy can replace it
        commands = _replace(allowed, [*others, *named])
    return to_fill_in(_of_permissions(commands, flat, changes))


def removed(allowed: Allowed, principals: Collection[str]) -> tuple[Remedy, ...]:
    """Return the remedy that removes what a statement grants to some principals."""
    policy, name = allowed.policy, allowed.statement.sid
    others = _others(allowed, principals)
    by_name = _is_removable(name) and not others
    command = _remove(policy, str(name)) if by_name else _replace(allowed, others)
    changes = f"The statement {allowed.name} is removed: calls that only it allows are denied."
    if others:
        changes = f"The statement {allowed.name} is changed: it no longer allows {', '.join(sorted(principals))}."
    written = permissions_of(dict(allowed.statement.raw), policy.resource_arn)
    obsolete = [permission for permission in written if permission.principal in principals] if others else written
    if not obsolete or len(obsolete) > _MOST_PERMISSIONS:
        return (Remedy("aws-cli", command, changes=changes),)
    return (
        Remedy("aws-cli", command, changes=changes),
        *sam(_obsolete(obsolete, Permission.to_sam, "\n---\n"), changes=changes),
        Remedy("terraform", _obsolete(obsolete, Permission.to_terraform, "\n\n"), changes=changes),
    )


def in_steps(allowed: Allowed, remedies: Sequence[Remedy], see_who: str = _WHO_INVOKES) -> tuple[Remedy, ...]:
    """Return a remedy that takes rights away in two steps: save the policy, then apply it.

    `see_who` is a command that shows who used the rights. Between the steps, a person reads what the first one shows.
    The second step ends with the way back.
    """
    policy, region = allowed.policy, allowed.snapshot.target.region
    name = function_name(policy.resource_arn)
    file = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', allowed.function).strip('-')}-policy.json"
    named = {"function_name": name, "qualifier": policy.qualifier or ""}
    read = aws("lambda", "get-policy", region, **named, query="Policy", output="text")
    command, *others = remedies
    way_back = commented(f"The way back:\n{_restore(allowed, command)}")
    return (
        Remedy("aws-cli", f"{read} > {file}\n{see_who}", step=_SAVE),
        replace(
            command,
            text=f"{command.text}\n{commented(way_back) if command.needs_decision else way_back}",
            step=_TAKE_AWAY,
        ),
        *others,
    )


def _restore(allowed: Allowed, applied: Remedy) -> str:
    """Return the command that adds the statement again, in place of what the remedy left of it."""
    arn, raw, name = allowed.policy.resource_arn, dict(allowed.statement.raw), allowed.statement.sid
    written = permissions_of(raw, arn)
    if "python3" in applied.text or len(written) != 1:
        return replace_statements(arn, [name] if name else [], [raw])
    return written[0].to_cli()


def together(*groups: Sequence[Remedy]) -> tuple[Remedy, ...]:
    """Return remedies that are applied at once, those of one kind as one text."""
    by_kind: dict[str, list[Remedy]] = {}
    for remedy in (remedy for group in groups for remedy in group):
        by_kind.setdefault(remedy.kind, []).append(remedy)
    return tuple(
        replace(found[0], text=_BETWEEN[kind].join(one.text for one in found), changes=_changes(found))
        for kind, found in by_kind.items()
    )


def _changes(remedies: Sequence[Remedy]) -> str:
    return " ".join(dict.fromkeys(remedy.changes for remedy in remedies if remedy.changes))


def added(*permissions: Permission) -> tuple[Remedy, ...]:
    """Return the remedy that adds permissions."""
    callers = ", ".join(dict.fromkeys(permission.principal for permission in permissions))
    changes = f"The policy of {permissions[0].function} has more statements, for {callers} and this source only."
    commands = " &&\n".join(permission.to_cli() for permission in permissions)
    return _of_permissions(commands, permissions, changes)


def _of_permissions(commands: str, permissions: Sequence[Permission], changes: str = "") -> tuple[Remedy, ...]:
    """Return the commands, and the resources of infrastructure code for the permissions."""
    return (
        Remedy("aws-cli", commands, changes=changes),
        *sam("\n---\n".join(permission.to_sam() for permission in permissions), changes=changes),
        Remedy("cdk", "\n".join(permission.to_cdk() for permission in permissions), changes=changes),
        Remedy("terraform", "\n\n".join(permission.to_terraform() for permission in permissions), changes=changes),
    )


def _obsolete(permissions: Sequence[Permission], form: Callable[[Permission], str], between: str) -> str:
    """Return the resources to remove, as comments: pasted, they would be added."""
    return commented(_TO_REMOVE + between.join(map(form, permissions)))


def _statement(allowed: Allowed, principal: str, action: str, **conditions: str) -> dict[str, JSON]:
    """Return a statement as AddPermission writes it, with the other conditions of the present statement."""
    name = sid(allowed.name, "-scoped")
    permission = Permission(function_name="", statement_id=name, action=action, principal=principal, **conditions)  # type: ignore[arg-type]
    statement = statement_of(permission, allowed.policy.resource_arn)
    condition: dict[str, JSON] = dict(statement.get("Condition", {}))
    skipped = _REPLACED_KEYS | never_sent(principal)
    for operator, keys in condition_of(allowed.statement.raw).items():
        kept = {key: values for key, values in keys.items() if key.lower() not in skipped}
        if kept:
            condition[operator] = {**kept, **condition.get(operator, {})}
    return {**statement, "Condition": condition} if condition else statement


def _each_named(allowed: Allowed, statements: Sequence[dict[str, JSON]]) -> list[dict[str, JSON]]:
    """Return statements with Sids that are unique among them and in the policy, as AWS requires."""
    taken = {item.sid for item in allowed.policy.document.statements}
    numbers: dict[str, int] = {}
    named = []
    for statement in statements:
        base = name = str(statement["Sid"])
        while name in taken:
            numbers[base] = numbers.get(base, 1) + 1
            name = sid(base, f"-{numbers[base]}")
        taken.add(name)
        named.append({**statement, "Sid": name})
    return named


def _invoking(allowed: Allowed, invoker: Invoker) -> list[str]:
    """Return the invoke actions that the statement names or, if it names none, those that the service needs."""
    named = [_INVOKING[text.lower()] for text in allowed.statement.action_texts if text.lower() in _INVOKING]
    by_url = invoker.principal == cloudfront.INVOKER.principal
    return list(dict.fromkeys(named)) or list(_INVOKING.values() if by_url else ["lambda:InvokeFunction"])


def _others(allowed: Allowed, principals: Collection[str]) -> list[dict[str, JSON]]:
    """Return the statement for its other principals; empty if there are none.

    Everyone is none of them if only services satisfy the conditions.
    """
    written = allowed.statement.raw.get("Principal")
    if not isinstance(written, dict):
        return []
    replaced = set(principals)
    if not any((item.kind, item.value) == ANYONE for item in allowed.exposure.principals):
        replaced.add(ANYONE[1])
    kept = {
        kind: rest
        for kind, values in written.items()
        if (rest := [value for value in (values if isinstance(values, list) else [values]) if value not in replaced])
    }
    statement = {**allowed.statement.raw, "Principal": kept}
    return [by_arn_alone(statement, allowed.snapshot.target.region)] if kept else []


def _is_removable(name: str | None) -> bool:
    return name is not None and STATEMENT_ID.match(name) is not None


def _remove(policy: ResourcePolicy, name: str) -> str:
    function, qualifier = function_name(policy.resource_arn), policy.qualifier or ""
    region = require_arn(policy.resource_arn).region
    return aws("lambda", "remove-permission", region, function_name=function, qualifier=qualifier, statement_id=name)


def _replace(allowed: Allowed, replacements: Sequence[dict[str, JSON]]) -> str:
    return replace_statements(allowed.policy.resource_arn, [dict(allowed.statement.raw)], replacements)
