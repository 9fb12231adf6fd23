"""PG104 source-too-broad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import SOURCE_KEYS, Restriction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import removed, replaced, scoped
from permission_guard.rules.invoke_policy.source_missing import anyone_s_source, either
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed
from permission_guard.rules.wording import judged_generally, written_conditions

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed


class SourceTooBroad(StatementRule):
    """Allow a service to invoke a function only by conditions that really restrict the source.

    ## What it flags

    A statement that lets an AWS service invoke the function, and whose conditions on the source still admit accounts
    that are not trusted: a pattern that leaves the account open (`arn:aws:sns:us-east-1:*:orders`), an operator that
    lets a missing key pass (`...IfExists`, `ForAllValues`) or that only excludes (`StringNotEquals`).

    ## Why it matters

    The statement looks restricted and is not: a source in an account of anybody's satisfies the conditions, and the
    service calls the function for it.

    ## How to fix

    Add the statement again with the ARN of the source, or with `aws:SourceAccount`, under `StringEquals` or `ArnLike`.
    Remove the broad one only then.

    ## Fix safety

    Not fixed automatically yet: the true source has to be found first.

    ## Limits

    `rule/*`, `log-group:*` and the stars of an API's stage, method and path pass, as long as the ARN or
    `aws:SourceAccount` names a trusted account: people need them to keep a policy under 20,480 bytes. A condition that
    names an account or an organization that is not trusted is PG106's; an ARN that no source of the service can have is
    PG105's.

    ## References

    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """

    id = "PG104"
    name = "source-too-broad"
    severity = Severity.HIGH

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag the services that anyone can make call although conditions speak of a source."""
        if not allowed.exposure.present_keys & SOURCE_KEYS:
            return "No condition speaks of a source; that is PG102's question."
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
            return "No service may invoke the function for a source of just any account."
        services = [name for _, name in found]
        who, sources = listed(services), either([invoker.source for invoker, _ in found])
        conditions = [item for item in allowed.statement.conditions if item.key in SOURCE_KEYS]
        each = either([invoker.a_source for invoker, _ in found])
        return Complaint(
            title=f"Anyone's {sources} can have {who} invoke {allowed.function}, whatever its conditions say",
            reason=(
                f"The statement lets {who} invoke the function, and what it asks of the source "
                f"({written_conditions(conditions)}) also holds for {each} in an account that is not trusted."
                f"{judged_generally(invoker for invoker, _ in found)}"
            ),
            impact=anyone_s_source([invoker for invoker, _ in found], who),
            evidence={"services": services},
            remedies=replaced(
                allowed, [item for invoker, name in found for item in scoped(allowed, invoker, name)], services
            ),
        )


def _any_service(allowed: Allowed, anyone: list[str]) -> Complaint:
    """Complain of a statement for everybody that only services can meet, since it asks for a source."""
    conditions = [item for item in allowed.statement.conditions if item.key in SOURCE_KEYS]
    return Complaint(
        title=f"Anyone's resource can have a service invoke {allowed.function}, whatever its conditions say",
        reason=(
            f"The statement lets everybody in who tells of a source, which services do, and what it asks of the source "
            f"({written_conditions(conditions)}) also holds for accounts that are not trusted."
        ),
        impact="Whoever knows the function's ARN can have a service call it for a resource of their own.",
        evidence={"services": []},
        remedies=removed(allowed, anyone),
    )
