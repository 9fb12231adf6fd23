"""The verdicts of PG112 on function URLs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import Restriction
from permission_guard.iam.arn import account_of, is_account_id
from permission_guard.invokers import invoker_of
from permission_guard.invokers.allowed import statements_of
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.function_url import choose_for_everyone, choose_for_url, choose_to_trust
from permission_guard.remedies.invoke_policy import added, removed
from permission_guard.remedies.permission import Permission, sid
from permission_guard.rules.invoke_policy.function_url_calls import (
    OLDER,
    URL_ACTIONS,
    denied_to_anyone,
    half_allowed,
    is_closed_to_anyone,
)
from permission_guard.rules.invoke_policy.public_halves import public_halves, without_public
from permission_guard.rules.wording import principal_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.state import FunctionUrl, ResourcePolicy, Snapshot
    from permission_guard.model.verdicts import Remedy, Verdict
    from permission_guard.rules.base import Rule
    from permission_guard.rules.invoke_policy.function_url_calls import HalfAllowed

BOTH: Final = "Since October 2025, a call through a URL requires lambda:InvokeFunctionUrl and lambda:InvokeFunction."


def url_verdicts(
    rule: Rule, snapshot: Snapshot, policies: Mapping[str, ResourcePolicy], unread: Unread | None
) -> Iterator[Verdict]:
    """Yield a verdict for each caller of each URL of a function."""
    urls, target = snapshot.function_urls, snapshot.target
    if isinstance(urls, Unread):
        yield rule.unknown(target.arn, "function-url/*", str(urls))
        return
    for url in urls or ():
        arn = f"{target.arn}:{url.qualifier}" if url.qualifier else target.arn
        policy = policies.get(arn)
        if policy is None and unread is not None:
            yield rule.unknown(arn, "function-url/*", str(unread))
        elif policy is not None and policy.document.unreadable:
            problems = "; ".join(policy.document.problems)
            yield rule.unknown(arn, "function-url/*", f"The policy cannot be read: {problems}.")
        elif url.auth_type == "NONE":
            removals = without_public(public_halves(policy, snapshot, rule.trust))
            yield _without_authentication(rule, url, arn, policy, removals)
        elif policy is not None:
            halves = list(half_allowed(url, policy, snapshot, rule.trust))
            by_name = {one.name: one for one in statements_of(policy, snapshot, rule.trust)}
            yield from (_half(rule, url, arn, half, by_name[half.by]) for half in dict.fromkeys(halves))
            if not halves:
                yield rule.passed(arn, "function-url", "No caller is allowed only half of what the URL requires.")


def _without_authentication(
    rule: Rule, url: FunctionUrl, arn: str, policy: ResourcePolicy | None, removals: Sequence[Remedy]
) -> Verdict:
    function = _function(arn)
    denied = denied_to_anyone(url, policy) if policy else URL_ACTIONS
    if not denied:
        return rule.passed(arn, "function-url", f"The statements allow anyone to call {url.url}.")
    both = len(denied) == len(URL_ACTIONS)
    missing = [_permission(arn, "*", action, auth_type="NONE") for action in denied]
    older = f" {OLDER}" if url.is_from_before_the_pair and denied == ("lambda:InvokeFunction",) else ""
    return rule.violation(
        function_arn=arn,
        subject="function-url",
        title=f"Nobody can call the function URL of {function}" if both else f"Function URL of {function} returns 403",
        reason=f"{url.url} has AuthType NONE. The policy does not grant everyone {' and '.join(denied)}. {BOTH}{older}",
        impact=(
            "Every call returns 403. The URL is unused, or its callers fail. A statement that is added later for "
            "everyone makes it public."
            if both
            else "Callers get 403 Forbidden, and the function is not invoked."
        ),
        evidence={"function_url": f"{url.url} ({url.auth_type})", "missing_actions": list(denied), **_created(url)},
        remedies=choose_for_url(
            missing[0], removals, () if policy is not None and is_closed_to_anyone(url, policy) else missing
        ),
        severity=Severity.LOW if both else None,
    )


def _half(rule: Rule, url: FunctionUrl, arn: str, half: HalfAllowed, by: Allowed) -> Verdict:
    function, who = _function(arn), _who(half.principal)
    source = f" for {half.source_arn}" if half.source_arn else ""
    older = f" {OLDER}" if url.is_from_before_the_pair and half.missing == "lambda:InvokeFunction" else ""
    permission = _permission(arn, half.principal, half.missing, source_arn=half.source_arn, auth_type=url.auth_type)
    is_service = invoker_of(half.principal).is_known
    subject = f"trigger/{half.principal}" if is_service else f"function-url/{half.principal}"
    return rule.violation(
        function_arn=arn,
        subject=f"{subject}/{half.source_arn}" if half.source_arn else subject,
        title=f"{who} cannot call {function} through its URL",
        reason=(
            f"Statement {half.by} allows {half.principal}{source} only half of what a call to {url.url} requires. No "
            f"statement allows {half.missing}. {BOTH}{older}"
        ),
        impact="The URL returns 403 Forbidden to these calls, and the function is not invoked.",
        evidence={
            "function_url": f"{url.url} ({url.auth_type})",
            "principal": half.principal,
            "source_arn": half.source_arn,
            "missing_actions": [half.missing],
            **_created(url),
        },
        remedies=_added(permission, by),
    )


def _who(principal: str) -> str:
    """Return the words for a caller at the beginning of a sentence."""
    name = "Callers of other accounts" if principal == "*" else principal_name(principal)
    return f"A{name[1:]}" if name.startswith("account ") else name


def _added(permission: Permission, by: Allowed) -> tuple[Remedy, ...]:
    """Return the remedy that adds the other half for a trusted caller, and a choice for another one."""
    item = next(one for one in by.exposure.principals if one.value == permission.principal)
    is_trusted, is_everyone = item.restriction is Restriction.HELD, item.value == "*"
    organizations = [one.texts for one in by.statement.conditions if one.key == "aws:principalorgid"]
    if is_trusted and is_everyone and [len(texts) for texts in organizations] == [1]:
        return added(replace(permission, principal_org_id=organizations[0][0]))
    if is_trusted and not is_everyone:
        return added(permission)
    account = account_of(permission.source_arn or item.value) or item.value
    removals = removed(by, [item.value])
    if item.restriction is Restriction.OPEN and is_everyone:
        return choose_for_everyone(removals, permission, by.name)
    return choose_to_trust(removals, permission, by.name, account) if is_account_id(account) else removals


def _permission(arn: str, principal: str, action: str, *, auth_type: str, source_arn: str = "") -> Permission:
    target, qualifier = parse_function_arn(arn)
    by_url = action == "lambda:InvokeFunctionUrl"
    digest = hashlib.sha256(f"{principal} {source_arn}".encode()).hexdigest()[:8]
    return Permission(
        region=target.region,
        function_name=target.name,
        qualifier=qualifier or "",
        statement_id=sid("function-url" if by_url else "function-url-invoke", f"-{digest}"),
        action=action,
        principal=principal,
        source_arn=source_arn,
        function_url_auth_type=auth_type if by_url and not source_arn else "",
        invoked_via_function_url=not by_url,
    )


def _created(url: FunctionUrl) -> dict[str, str]:
    return {"created_at": url.created_at} if url.created_at else {}


def _function(arn: str) -> str:
    return arn.split(":function:", 1)[-1]
