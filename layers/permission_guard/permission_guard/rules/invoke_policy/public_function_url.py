"""PG107 public-function-url."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Context
from permission_guard.iam.arn import function_name
from permission_guard.invokers.allowed import Allowed, statements_of
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.records import record
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.decisions import commented
from permission_guard.remedies.invoke_policy import together
from permission_guard.rules.invoke_policy.function_url_calls import OLDER, URL_ACTIONS
from permission_guard.rules.invoke_policy.public_halves import public_halves, without_public
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from permission_guard.model.state import FunctionUrl


@record
class _UrlState:
    """The texts and the severity of a statement for a function URL, given the state of the URL."""

    title: str
    reason: str
    impact: str
    severity: Severity | None


class PublicFunctionUrl(StatementRule):
    """Allow calls through a function URL only from authenticated, named callers.

    ## What it flags

    A statement that allows anyone to call the function through its URL: its principal is `*`, and it grants
    `lambda:InvokeFunctionUrl`, or it has a condition on `lambda:FunctionUrlAuthType` or `lambda:InvokedViaFunctionUrl`.
    The severity is lower for a statement that was left behind when the URL was deleted or its authentication was
    changed, and for one half of the pair of permissions that a URL requires: the URL still returns 403.

    ## Why it matters

    The URL is on the Internet. Anyone who finds it can call the function, and the owner pays. Deleting the URL does not
    delete its statements. If a URL is created again, for any purpose, it is public immediately.

    ## How to fix

    Set the authentication of the URL to `AWS_IAM` and allow callers by name, or put CloudFront with origin access
    control in front of it. Then remove the statements.

    ## Fix safety

    Unsafe: the URL may be public on purpose, for example for webhooks whose signature the code checks. The fix removes
    statements that were left behind, after an approval. In `auto` it does so without one only if `rules.PG107.fix` is
    `auto`. The bot can undo it only with the parameter `AtomicNarrowing`. The bot never closes a URL that
    takes calls without authentication.

    ## Limits

    The rule cannot check whether the function's code authenticates its callers. A URL without authentication that no
    statement allows returns 403 to everyone: PG112 reports it. A statement of a published version passes, because a
    version cannot have a URL.

    Calls require both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction`. For URLs created before October 2025, the
    first was enough. AWS announced that this exception ends on 1 November 2026; the finding says if a URL is that old.
    One half is flagged because anyone who adds the other one makes the URL public. PG112 reports that the URL does not
    work.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    """

    id = "PG107"
    name = "public-function-url"
    severity = Severity.HIGH
    reads = StatementRule.reads | {"lambda:ListFunctionUrlConfigs"}

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag statements that allow everyone to call a function URL, or would if the URL existed."""
        exposed = allowed.exposure
        if not (exposed.public and exposed.function_url and exposed.grants_invoke):
            return "The statement does not allow everyone to call a function URL."
        if (allowed.policy.qualifier or "").isdigit():
            return "A published version cannot have a function URL."
        state, url = _state_of_url(allowed), _url(allowed)
        return Problem(
            title=state.title,
            reason=state.reason,
            impact=state.impact,
            severity=state.severity,
            evidence={"function_url": f"{url.url} ({url.auth_type})" if url else ""},
            remedies=_remedy(allowed),
        )


def _url(allowed: Allowed) -> FunctionUrl | None:
    """Return the URL of the function or alias that the policy belongs to; None if it has none or none was read."""
    urls = allowed.snapshot.function_urls
    if not isinstance(urls, tuple):
        return None
    return next((url for url in urls if url.qualifier == allowed.policy.qualifier), None)


def _remedy(allowed: Allowed) -> tuple[Remedy, ...]:
    """Remove all that everyone may do through the URL at once: PG112 would report the other half, or an unused URL."""
    halves = public_halves(allowed.policy, allowed.snapshot, allowed.trust)
    url = _url(allowed)
    if url is None or url.auth_type != "NONE" or not any(_opens_for("NONE", each) for each in halves):
        return without_public(halves)
    policy, region = allowed.policy, allowed.snapshot.target.region
    named = {"function_name": function_name(policy.resource_arn), "qualifier": policy.qualifier or ""}
    require = aws("lambda", "update-function-url-config", region, **named, auth_type="AWS_IAM")
    changes = "The URL requires authentication: calls that are not signed by an allowed identity are denied."
    first = (
        Remedy("aws-cli", require, changes=changes),
        Remedy("sam", commented("Set AuthType: AWS_IAM for the URL."), changes=changes),
        Remedy("terraform", commented('Set authorization_type = "AWS_IAM" for the URL.'), changes=changes),
    )
    return together(first, without_public(halves))


def _opens_for(auth_type: str, allowed: Allowed) -> bool:
    """Return whether the conditions match a call through a URL with this AuthType."""
    context = Context({"lambda:FunctionUrlAuthType": auth_type, "lambda:InvokedViaFunctionUrl": True})
    return allowed.statement.match_conditions(context.lookup) > 0


def _missing(allowed: Allowed) -> tuple[str, ...]:
    """Return the actions of those that a URL requires which no statement grants everyone."""
    public = [
        other.statement
        for other in statements_of(allowed.policy, allowed.snapshot, allowed.trust)
        if other.exposure.public and other.exposure.closed_by is None
    ]
    return tuple(
        action for action in URL_ACTIONS if not any(statement.match_action(action.lower()) for statement in public)
    )


def _state_of_url(allowed: Allowed) -> _UrlState:
    function, urls, url = allowed.function, allowed.snapshot.function_urls, _url(allowed)
    grant = 'The statement allows "*" to call the function through its URL'
    anyone = "Anyone on the Internet can call the function with any input, at any rate."
    any_account = "Anyone with an AWS account can call the function through its URL."
    for_anyone = _opens_for("NONE", allowed)
    missing = _missing(allowed)
    if missing:
        title = f"{function} grants everyone half of what a function URL requires"
        reason = f"{grant}. No statement grants everyone {listed(missing)}, which a URL also requires."
        older = f" {OLDER}" if url is not None and url.is_from_before_the_pair else ""
        impact = "Calls through the URL return 403. Adding that permission makes the URL public."
        return _UrlState(title, f"{reason}{older}", impact, Severity.MEDIUM)
    if not isinstance(urls, tuple):
        unread = f". Whether it has one is unknown: {urls}" if isinstance(urls, Unread) else ""
        title = f"{function} allows any{'one' if for_anyone else ' AWS account'} to call it through a URL"
        return _UrlState(title, f"{grant}{unread}.", anyone if for_anyone else any_account, None)
    if url is not None and _opens_for(url.auth_type, allowed):
        if url.auth_type == "NONE":
            title = f"{function} allows anyone on the Internet to call it through its URL"
            return _UrlState(title, f"{grant}, and {url.url} has AuthType NONE.", anyone, None)
        title = f"{function} allows any AWS account to call it through its URL"
        return _UrlState(title, f"{grant}, and {url.url} accepts every AWS identity.", any_account, None)
    callers, auth_type = ("anyone", "NONE") if for_anyone else ("any AWS account", "AWS_IAM")
    present = f"{url.url} has AuthType {url.auth_type}" if url else f"{function} has no URL"
    return _UrlState(
        f"{function} would allow {callers} to call a URL with AuthType {auth_type}",
        f'The statement allows "*" to call the function through a URL with AuthType {auth_type}. {present}, so the '
        "statement was left behind.",
        f"If the function gets a URL with AuthType {auth_type}, {callers} can call it immediately.",
        Severity.MEDIUM,
    )
