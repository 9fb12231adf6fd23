"""PG105 source-never-matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.errors import UnknownStateError
from permission_guard.iam import Context, Restriction
from permission_guard.iam.arn import parse_arn
from permission_guard.iam.principals import is_unique_id
from permission_guard.invokers import Authority, Invoker, Sent, apigateway, invoker_of
from permission_guard.model.placeholders import PLACEHOLDER
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed, replaced, scoped, with_token
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import counted, listed, principal_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.iam import PrincipalExposure
    from permission_guard.iam.conditions import Condition
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy


class SourceNeverMatches(StatementRule):
    """Allow only with statements that can take effect.

    ## What it flags

    A statement through which its principal can never invoke the function, for one of these reasons:

    - The condition is never true: a `*` that `StringEquals` compares literally, the ARN of another service's resource,
      an ARN that no source can have (a path parameter like `{userId}` in the ARN of an API, the default bus in the ARN
      of a rule, a log group without `:*` or with `:*:*` at its end, a secret without the six characters that AWS
      appends to its name, a name with characters that the service does not allow), an ARN and an account that disagree,
      a key that the principal never sends, a Deny statement without exceptions.
    - The principal is `sns.amazonaws.com` and the topic is in an opt-in region other than the function's: such topics
      invoke as `sns.REGION.amazonaws.com`.
    - The principal never invokes through the policy: SQS, Kinesis, DynamoDB, Kafka and MQ, which Lambda polls with the
      execution role, and services that invoke with an IAM role, such as EventBridge Scheduler.

    ## Why it matters

    The statement was written to allow something. Its events are dropped, usually without an error message. If the
    principal never invokes through the policy, nothing is dropped, but the statement is misleading. The severity is low
    then.

    ## How to fix

    Write the condition as the service sends it, or remove the statement. If a Deny statement for people also denies the
    service, except services from it: `"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}`.

    ## Fix safety

    Not fixed automatically: only you know which source the statement is for.

    ## Limits

    The rule flags only what is certain. It assumes nothing about services that the bot does not know, about keys that
    are not documented as sent or not sent, and about values with policy variables. PG111 evaluates deleted principals.
    The statements that Lambda@Edge writes pass. A statement also passes if one Deny statement denies everything that it
    grants. The outcome is unknown for the method `ANY` in the ARN of an API, because AWS's documentation and reports
    disagree on whether API Gateway sends it, and for a path parameter if the API is an HTTP API. It is unknown for
    EventBridge with a condition on `aws:SourceAccount`: AWS's troubleshooting guide says that such a condition prevents
    EventBridge from invoking the function, but a recorded call has the key.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """

    id = "PG105"
    name = "source-never-matches"
    severity = Severity.MEDIUM
    of_inventories = True

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag the principals for which the statement never takes effect."""
        if not allowed.exposure.grants_invoke:
            return "The statement does not allow anyone to invoke the function."
        ineffective = [(item, why) for item in allowed.exposure.principals if (why := _why_never(item, allowed))]
        if not ineffective:
            _require_undisputed(allowed)
            return "No principal of the statement is known to be ineffective."
        items = [item for item, _ in ineffective]
        names = [item.value for item in items]
        harmless = all(item.kind == "Service" and not invoker_of(item.value).invokes_by_policy for item in items)
        some_only = len(items) < len(allowed.exposure.principals)
        kind = "services" if all(item.kind == "Service" for item in items) else "principals"
        whom = f" for {counted(map(principal_name, names), kind)}" if some_only else ""
        reasons = [f"{_capitalized(why)}." for why in dict.fromkeys(why for _, why in ineffective)]
        return Problem(
            title=f"Statement {allowed.name} of {allowed.function} has no effect{whom}",
            reason=" ".join([f"The statement has no effect for {listed(names)}.", *reasons]),
            impact=(
                "The statement is not needed, and can be mistaken for the permission that is needed."
                if harmless
                else f"Calls by {listed(names)} are denied, and their events are lost."
            ),
            severity=Severity.LOW if harmless else None,
            evidence={"principals": names},
            remedies=_remedy(allowed, items),
        )


def _capitalized(why: str) -> str:
    """Begin a sentence with a capital letter, unless it begins with a name."""
    word = why.partition(" ")[0]
    return f"{word.capitalize()}{why[len(word) :]}" if word.isalpha() and word.islower() else why


def _why_never(item: PrincipalExposure, allowed: Allowed) -> str:
    """Return why the statement never takes effect for a principal, or an empty text if it can."""
    never = _never(item, allowed) if item.restriction is Restriction.NEVER else ""
    if item.kind != "Service":
        return "" if is_unique_id(item.value) else never
    invoker = invoker_of(item.value)
    if invoker.has_ended or invoker.written_by_aws:
        return ""
    if invoker.authority is Authority.EXECUTION_ROLE:
        return f"{item.value} never invokes functions: Lambda polls each {invoker.source} with the execution role"
    if invoker.authority is Authority.OWN_ROLE:
        return f"{item.value} invokes functions with an IAM role, not through the resource-based policy"
    return never or _foreign_arn(invoker, item.value, allowed)


def _never(item: PrincipalExposure, allowed: Allowed) -> str:
    """Return why the conditions are never true, with the keys in the spelling of the statement."""
    why = item.why
    if _is_denied(item):
        return f"a Deny statement of the same policy denies everything that the statement grants to {item.value}"
    for condition in allowed.statement.conditions:
        why = why.replace(condition.key, condition.spelled)
    return why


def _foreign_arn(invoker: Invoker, principal: str, allowed: Allowed) -> str:
    """Return that no source of the service has an ARN that the conditions require, or an empty text."""
    for condition in _required_sources(invoker, allowed):
        if not any(_can_be(text, condition, invoker, allowed) for text in condition.texts):
            texts = " or ".join(f'"{text}"' for text in condition.texts)
            return f"{texts} never matches the ARN of {invoker.a_source}, which {principal} sends"
        abroad = [_principals_abroad(text, invoker, principal, allowed) for text in condition.texts]
        if all(abroad):
            others = listed(sorted({name for names in abroad for name in names}))
            return f"{invoker.a_source} of this opt-in region invokes functions of other regions only as {others}"
    return ""


def _required_sources(invoker: Invoker, allowed: Allowed) -> Iterator[Condition]:
    """Yield the conditions on the ARN of the source that a call by the service must meet."""
    for condition in allowed.statement.conditions:
        if condition.key != "aws:sourcearn" or condition.negated or condition.operator is None:
            continue
        if not (condition.if_exists or condition.qualifier) or invoker.sends_source_arn is Sent.YES:
            yield condition


def _can_be(text: str, condition: Condition, invoker: Invoker, allowed: Allowed) -> bool:
    """Return whether a source of a service can have an ARN that matches a value of a condition."""
    pattern = PLACEHOLDER.sub("*", text)
    ignores_case = condition.operator is not None and condition.operator.name.endswith("IgnoreCase")
    if "${" in text or ignores_case or _is_path_of_http_api(text, invoker, allowed):
        return True
    arn = parse_arn(pattern)
    if arn is not None and arn.partition != allowed.snapshot.target.partition and not {"*", "?"} & set(arn.partition):
        return False
    return invoker.admits(pattern, as_text=_is_text(condition))


def _is_text(condition: Condition) -> bool:
    """Return whether a condition compares ARNs as texts, where a star also matches colons."""
    return condition.operator is not None and condition.operator.name.startswith("String")


def _principals_abroad(text: str, invoker: Invoker, principal: str, allowed: Allowed) -> tuple[str, ...]:
    """Return the principals with which a named source invokes, if the statement's principal is none of them."""
    target = allowed.snapshot.target
    if "${" in text:
        return ()
    sent = invoker.principals_of(PLACEHOLDER.sub("*", text), target.partition, target.region)
    return () if principal.lower() in sent or len(sent) > 1 else sent


def _require_undisputed(allowed: Allowed) -> None:
    """Raise UnknownStateError if AWS's documentation and reports disagree on whether a service sends a required key."""
    for invoker, _ in allowed.services:
        if invoker.account_dispute and any(map(_depends_on_account, allowed.statement.conditions)):
            raise UnknownStateError(f"Unknown: {invoker.account_dispute} Use aws:SourceArn alone.")
        for condition in _required_sources(invoker, allowed):
            patterns = [PLACEHOLDER.sub("*", text) for text in condition.texts if "${" not in text]
            if len(patterns) == len(condition.texts) and all(
                invoker.is_disputed(apigateway.in_one_stage(pattern), as_text=_is_text(condition))
                or _is_path_of_http_api(text, invoker, allowed)
                for text, pattern in zip(condition.texts, patterns, strict=True)
            ):
                texts = " or ".join(f'"{text}"' for text in condition.texts)
                raise UnknownStateError(
                    f"Unknown: AWS's documentation and reports disagree on whether {invoker.a_source} sends an ARN "
                    f"that matches {texts}. Use * in place of the method ANY and of each path parameter."
                )


def _depends_on_account(condition: Condition) -> bool:
    """Return whether a condition differs for a service that sends its account and one that does not."""
    unsent = Context({"aws:SourceAccount": None})
    return condition.key == "aws:sourceaccount" and (condition.null or not condition.evaluate(unsent.lookup))


def _is_path_of_http_api(text: str, invoker: Invoker, allowed: Allowed) -> bool:
    """Return whether a text has a path parameter of an API that is an HTTP API, or may be one."""
    if invoker is not apigateway.INVOKER or "{" not in text:
        return False
    api = text.partition("/")[0]
    if PLACEHOLDER.search(api):
        return True
    lists = (one.sources for one in allowed.snapshot.inventories if one.name == "apigatewayv2")
    return any(not isinstance(sources, Unread) and api in sources for sources in lists)


def _remedy(allowed: Allowed, ineffective: Sequence[PrincipalExposure]) -> tuple[Remedy, ...]:
    """Allow the sources of each service with effective statements, or remove what no statement can repair."""
    names = [item.value for item in ineffective]
    effective = [
        statement
        for item in ineffective
        if item.kind == "Service"
        for statement in _effective_statements(allowed, item.value)
    ]
    if not effective or any(map(_is_denied, ineffective)):  # no Allow statement overrides a Deny
        return removed(allowed, names)
    return replaced(allowed, effective, names)


def _is_denied(item: PrincipalExposure) -> bool:
    return "a Deny" in item.why


def _effective_statements(allowed: Allowed, principal: str) -> list[dict[str, JSON]]:
    invoker = invoker_of(principal)
    if invoker.names_its_source:
        return scoped(allowed, invoker, principal)
    return [with_token(allowed, principal)] if invoker.sends_event_source_token is Sent.YES else []
