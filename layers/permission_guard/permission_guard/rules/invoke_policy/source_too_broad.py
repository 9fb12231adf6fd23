"""PG104 source-too-broad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import SOURCE_KEYS, Restriction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed
from permission_guard.rules.invoke_policy.source_missing import (
    by_condition,
    either,
    few_sources,
    impact_of_any_source,
    narrowed,
)
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed, service_name, unlisted_services, written_conditions

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class SourceTooBroad(StatementRule):
    """Allow a service to invoke a function only with conditions that restrict the source.

    ## What it flags

    A statement that allows an AWS service to invoke the function, and whose conditions on the source still match
    untrusted accounts: a pattern without an account (`arn:aws:sns:us-east-1:*:orders`), an operator that also matches a
    missing key (`...IfExists`, `ForAllValues`), or one that only excludes values (`StringNotEquals`).

    ## Why it matters

    The statement seems to restrict the source but does not. A source in any account satisfies the conditions, and the
    service invokes the function for it.

    ## How to fix

    Add the statement again with the ARN of the source, or with `aws:SourceAccount`, under `StringEquals` or `ArnLike`.
    Then remove the broad statement.

    ## Fix safety

    Safe: the fix allows only the sources that are configured in the account to invoke the function, and then removes
    the broad statement. It grants nothing new. Sources of other accounts cannot be seen: the fix needs an approval,
    unless `fixes.no_external_sources` lists the function, or CloudTrail's `Invoke` events of 30 days show none
    (`InvokeEventsLogGroupArn`). It is refused if no source is proven, if what invokes through the service cannot be
    listed, and if infrastructure code owns the function or the statement.

    Many such statements cannot be written with `AddPermission`. They are narrowed only with the parameter
    `AtomicNarrowing`, because nothing else could undo the fix.

    ## Limits

    A wildcard of `StringLike` also matches colons. Where the name of the source contains no colon, as that of a topic,
    a rule or a secret, a pattern such as `arn:aws:sns:*:ACCOUNT:*` still matches only the named account and passes.

    `rule/*`, `log-group:*` and wildcards for the stage, method and path of an API pass if the ARN or
    `aws:SourceAccount` names a trusted account. Such wildcards keep a policy under 20,480 bytes. PG106 evaluates
    conditions that name an untrusted account or organization. PG105 evaluates ARNs that no source of the service has.

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """

    id = "PG104"
    name = "source-too-broad"
    severity = Severity.HIGH

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag the services that anyone can make invoke the function despite conditions on the source."""
        if not allowed.exposure.present_keys & SOURCE_KEYS:
            return "The statement has no condition on the source; PG102 evaluates it."
        found = [
            (invoker, name)
            for invoker, name in allowed.services_with(Restriction.OPEN)
            if invoker.names_its_source and allowed.may_be_for(invoker)
        ]
        anyone = [
            item.value
            for item in allowed.exposure.principals
            if item.kind == "AWS" and item.restriction is Restriction.OPEN
        ]
        if not found and anyone and allowed.only_for_services and allowed.exposure.grants_invoke:
            return _any_service(allowed, anyone)
        if not found:
            return "No service may invoke the function for a source in an arbitrary account."
        services = [name for _, name in found]
        who, sources = listed(map(service_name, services)), few_sources(invoker.source for invoker, _ in found)
        conditions = [item for item in allowed.statement.conditions if item.key in SOURCE_KEYS]
        each = either([invoker.a_source for invoker, _ in found])
        return Problem(
            title=f"Conditions allow any account's {sources} to invoke {allowed.function}",
            reason=(
                f"The statement allows {who} to invoke the function. Its source conditions "
                f"({written_conditions(conditions)}) also match {each} in an untrusted account.{by_condition(allowed)}"
                f"{unlisted_services(invoker for invoker, _ in found)}"
            ),
            impact=impact_of_any_source([invoker for invoker, _ in found], who),
            evidence={"services": services},
            remedies=narrowed(allowed, found),
        )


def _any_service(allowed: Allowed, anyone: list[str]) -> Problem:
    """Return the problem of a statement for everyone that only services satisfy, because it requires a source."""
    conditions = [item for item in allowed.statement.conditions if item.key in SOURCE_KEYS]
    return Problem(
        title=f"Conditions allow any account's resource to invoke {allowed.function}",
        reason=(
            f"The statement allows every caller that sends a source. Only services send one. Its source conditions "
            f"({written_conditions(conditions)}) also match untrusted accounts."
        ),
        impact="Anyone who knows the function's ARN can make a service invoke it through a resource of their own.",
        evidence={"services": []},
        remedies=removed(allowed, anyone),
    )
