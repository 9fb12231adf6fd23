"""PG107 public-function-url."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from permission_guard.model import Remedy, ResourcePolicy, Severity, Unread
from permission_guard.rules.cures import removed
from permission_guard.rules.statements import Allowed, Complaint, StatementRule

if TYPE_CHECKING:
    from permission_guard.model import FunctionUrl


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is seen of the URL behind a statement, in words, and how bad that makes it."""

    title: str
    reason: str
    impact: str
    severity: Severity | None


class PublicFunctionUrl(StatementRule):
    """Allow calls through a function URL only from authenticated callers who are known.

    ## What it flags

    A statement that lets anyone call the function through its URL: its principal is `*`, and its condition is about
    `lambda:FunctionUrlAuthType` or `lambda:InvokedViaFunctionUrl`. Also one that was left behind when the URL was
    deleted, or when its authentication was switched on, which is why the severity is lower then.

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
    opens answers everybody with 403, and passes.

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
        seen = _seen(allowed)
        everybody = [item.value for item in exposed.principals if item.kind == "AWS"]
        cures = removed(allowed, everybody)
        if isinstance(urls := allowed.snapshot.function_urls, tuple) and _url(allowed.policy, urls) is not None:
            cures = (Remedy("aws-cli", f"{_authenticate(allowed)}\n{cures[0].text}"), *cures[1:])
        return Complaint(
            title=seen.title,
            reason=seen.reason,
            impact=seen.impact,
            severity=seen.severity,
            evidence={"function_url": _evidence(allowed)},
            remedies=cures,
        )


def _url(policy: ResourcePolicy, urls: tuple[FunctionUrl, ...]) -> FunctionUrl | None:
    return next((url for url in urls if url.qualifier == policy.qualifier), None)


def _evidence(allowed: Allowed) -> str:
    urls = allowed.snapshot.function_urls
    url = _url(allowed.policy, urls) if isinstance(urls, tuple) else None
    return f"{url.url} ({url.auth_type})" if url else ""


def _authenticate(allowed: Allowed) -> str:
    policy = allowed.policy
    qualifier = f" --qualifier {policy.qualifier}" if policy.qualifier else ""
    name = policy.resource_arn.split(":")[6]
    return f"aws lambda update-function-url-config --function-name {name}{qualifier} --auth-type AWS_IAM"


def _seen(allowed: Allowed) -> _Seen:
    function, urls = allowed.function, allowed.snapshot.function_urls
    anyone = "Anyone on the Internet can call the function, with any input and as often as they like."
    later = "Whoever gives the function a URL without authentication opens it to the whole Internet at once."
    opens = 'The statement lets "*" call the function through its URL'
    if urls is None:
        return _Seen(f"Anyone may call {function} through a function URL", f"{opens}.", anyone, None)
    if isinstance(urls, Unread):
        told = f"{opens}, and whether it has one could not be read: {urls}."
        return _Seen(f"Anyone may call {function} through a function URL", told, anyone, None)
    url = _url(allowed.policy, urls)
    if url is None:
        left = f"{opens}, and it has none: the statement was left behind."
        return _Seen(f"{function} is open to everybody as soon as it has a URL", left, later, Severity.MEDIUM)
    if url.auth_type == "NONE":
        title = f"Anyone on the Internet may call {function} through its URL"
        return _Seen(title, f"{opens}, and {url.url} asks for no authentication.", anyone, None)
    if _is_for("AWS_IAM", allowed):
        told = f"{opens}, and {url.url} takes every AWS identity."
        any_account = "Anyone with an AWS account of their own can call the function through its URL."
        return _Seen(f"Anyone with an AWS account may call {function} through its URL", told, any_account, None)
    left = f"{opens} without authentication, and {url.url} asks for it: the statement was left behind."
    return _Seen(f"{function} is open to everybody as soon as its URL asks for nothing", left, later, Severity.MEDIUM)


def _is_for(auth_type: str, allowed: Allowed) -> bool:
    return any(
        condition.key == "lambda:functionurlauthtype" and auth_type in condition.texts
        for condition in allowed.statement.conditions
    )
