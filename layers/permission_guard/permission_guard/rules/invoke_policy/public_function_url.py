"""PG107 public-function-url."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import Context, Restriction
from permission_guard.invokers.allowed import Allowed, statements_of
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.records import record
from permission_guard.remedies.invoke_policy import removed
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule

if TYPE_CHECKING:
    from permission_guard.model.state import FunctionUrl

_BY_URL: Final = "lambda:invokefunctionurl"


@record
class _Seen:
    """What is seen of the URL behind a statement, in words, and how bad that makes it."""

    title: str
    reason: str
    impact: str
    severity: Severity | None


class PublicFunctionUrl(StatementRule):
    """Allow calls through a function URL only from authenticated callers who are known.

    ## What it flags

    A statement that lets anyone call the function through its URL: its principal is `*`, and it grants
    `lambda:InvokeFunctionUrl`, or its condition is about `lambda:FunctionUrlAuthType` or
    `lambda:InvokedViaFunctionUrl`. Also one that was left behind when the URL was
    deleted, or when its authentication was changed, and one half of the pair of statements that a URL needs; the
    severity is lower then.

    ## Why it matters

    The URL is on the Internet. Whoever finds it can call the function, at its owner's price. Deleting the URL leaves
    the statements; whoever creates one again, for whatever purpose, opens it to everybody at once.

    ## How to fix

    Set the URL's authentication to `AWS_IAM` and let callers in by name, or put CloudFront with origin access control
    before it. Then remove the statements.

    ## Fix safety

    Not fixed automatically: the URL may be meant to be public, such as one for webhooks that checks signatures itself.

    ## Limits

    The bot does not know whether the function checks its callers itself. A URL without authentication that no statement
    opens answers everybody with 403, and passes. So does a statement of a published version, which cannot have a URL.
    URLs made since October 2025 want both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction`, older ones the first
    alone: a statement for the first counts by itself.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    """

    id = "PG107"
    name = "public-function-url"
    severity = Severity.HIGH
    reads = StatementRule.reads | {"lambda:ListFunctionUrlConfigs"}

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag statements that open a function URL to everybody, and those that would."""
        exposed = allowed.exposure
        if not (exposed.public and exposed.function_url and exposed.grants_invoke):
            return "The statement does not open a function URL to everybody."
        if (allowed.policy.qualifier or "").isdigit():
            return "A published version cannot have a function URL."
        seen = _seen(allowed)
        everybody = [
            item.value for item in exposed.principals if item.kind == "AWS" and item.restriction is Restriction.OPEN
        ]
        remedies = removed(allowed, everybody)
        url = _url(allowed)
        if url is not None and url.auth_type == "NONE" and seen.severity is None:
            remedies = (Remedy("aws-cli", f"{_authenticate(allowed)}\n{remedies[0].text}"), *remedies[1:])
        return Complaint(
            title=seen.title,
            reason=seen.reason,
            impact=seen.impact,
            severity=seen.severity,
            evidence={"function_url": f"{url.url} ({url.auth_type})" if url else ""},
            remedies=remedies,
        )


def _url(allowed: Allowed) -> FunctionUrl | None:
    """Return the URL that a policy is about: that of the function, or of the alias."""
    urls = allowed.snapshot.function_urls
    if not isinstance(urls, tuple):
        return None
    return next((url for url in urls if url.qualifier == allowed.policy.qualifier), None)


def _authenticate(allowed: Allowed) -> str:
    policy = allowed.policy
    qualifier = f" --qualifier {policy.qualifier}" if policy.qualifier else ""
    name = policy.resource_arn.split(":")[6]
    return f"aws lambda update-function-url-config --function-name {name}{qualifier} --auth-type AWS_IAM"


def _opens_for(auth_type: str, allowed: Allowed) -> bool:
    """Tell whether the statement speaks of calls through a URL with this authentication."""
    context = Context({"lambda:FunctionUrlAuthType": auth_type, "lambda:InvokedViaFunctionUrl": True})
    return allowed.statement.match_conditions(context.lookup) > 0


def _is_half(allowed: Allowed) -> bool:
    """Tell whether nothing in the policy grants everybody `lambda:InvokeFunctionUrl`, without which no URL answers."""
    return not any(
        other.exposure.public and other.exposure.closed_by is None and other.statement.match_action(_BY_URL)
        for other in statements_of(allowed.policy, allowed.snapshot, allowed.trust)
    )


def _seen(allowed: Allowed) -> _Seen:
    function, urls, url = allowed.function, allowed.snapshot.function_urls, _url(allowed)
    opens = 'The statement lets "*" call the function through its URL'
    anyone = "Anyone on the Internet can call the function, with any input and as often as they like."
    any_account = "Anyone with an AWS account of their own can call the function through its URL."
    for_anyone = _opens_for("NONE", allowed)
    if _is_half(allowed):
        title = f"One statement is all that keeps everybody from calling {function} through a URL"
        told = f"{opens}. The other half of what that takes, lambda:InvokeFunctionUrl, is not granted to everybody."
        return _Seen(title, told, "Whoever adds the other half opens the URL to everybody.", Severity.MEDIUM)
    if not isinstance(urls, tuple):
        unread = f", and whether it has one could not be read: {urls}" if isinstance(urls, Unread) else ""
        title = f"Anyone{'' if for_anyone else ' with an AWS account'} may call {function} through a function URL"
        return _Seen(title, f"{opens}{unread}.", anyone if for_anyone else any_account, None)
    if url is not None and _opens_for(url.auth_type, allowed):
        if url.auth_type == "NONE":
            title = f"Anyone on the Internet may call {function} through its URL"
            return _Seen(title, f"{opens}, and {url.url} asks for no authentication.", anyone, None)
        title = f"Anyone with an AWS account may call {function} through its URL"
        return _Seen(title, f"{opens}, and {url.url} takes every AWS identity.", any_account, None)
    whom, wanted = (
        ("everybody", "without authentication") if for_anyone else ("every AWS account", "for AWS identities")
    )
    has = f"{url.url} is not such a URL" if url else "it has none"
    return _Seen(
        f"{function} is open to {whom} as soon as it has a URL {wanted}",
        f'The statement lets "*" call the function through a URL {wanted}, and {has}: the statement was left behind.',
        f"Whoever gives the function a URL {wanted} opens it to {whom} at once.",
        Severity.MEDIUM,
    )
