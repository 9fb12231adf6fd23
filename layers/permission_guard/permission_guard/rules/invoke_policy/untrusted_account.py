"""PG106 untrusted-account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import UnknownStateError
from permission_guard.iam import Restriction
from permission_guard.iam.arn import account_of
from permission_guard.invokers import invoker_of
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import changed, in_steps, removed, replaced
from permission_guard.remedies.sources import condition_of
from permission_guard.rules.invoke_policy.source_missing import few_sources
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed, principal_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from permission_guard.iam import PrincipalExposure
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

_PLURALS: Final = {"account": "accounts", "organization": "organizations", "identity provider": "identity providers"}


class UntrustedAccount(StatementRule):
    """Allow other accounts and organizations only if they are trusted.

    ## What it flags

    A statement that allows an untrusted account, organization or identity provider to invoke the function, or a service
    for a source in an untrusted account. Only the function's own account and organization, and those under `trust` in
    `guard.yaml`, are trusted.

    ## Why it matters

    Principals of another account can invoke the function with any input. Often the account belongs to a former partner,
    and its access is no longer reviewed.

    ## How to fix

    If the access is intended, add the account or the organization to `trust` in `guard.yaml`. All statements that
    allow it pass from then on. If it is not intended, remove the statement, or remove the account or organization from
    its principals and conditions.

    ## Fix safety

    Not fixed automatically: only you know whether the access is intended.

    ## Limits

    A member account cannot read which accounts belong to its organization. List the other accounts of the organization
    in `trust.accounts`, or allow them with `aws:PrincipalOrgID`. If the own organization cannot be read, the outcome
    for a statement that names an organization is unknown.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """

    id = "PG106"
    name = "untrusted-account"
    severity = Severity.HIGH
    reads = StatementRule.reads | {"organizations:DescribeOrganization"}

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag principals of untrusted accounts and organizations, and services that invoke for them."""
        if not allowed.exposure.grants_invoke:
            return "The statement does not allow anyone to invoke the function."
        live = {principal.value for invoker, principal in allowed.services if allowed.may_be_for(invoker)}
        outside = [item for item in allowed.exposure.principals if _is_outside(item, live, allowed)]
        if not outside:
            return "No untrusted account or organization may invoke the function."
        own = allowed.snapshot.own_organization
        if isinstance(own, Unread):
            untrusted = [item for item in outside if item.accounts or not item.organizations]
            if not untrusted and allowed.exposure.closed_by is None:
                named = listed(sorted({name for item in outside for name in item.organizations}))
                raise UnknownStateError(
                    f"Unknown: it depends on whether {named} is this account's organization. {own}."
                )
            outside = untrusted or outside
        accounts = sorted({account for item in outside for account in item.accounts})
        organizations = sorted({name for item in outside for name in item.organizations})
        providers = [item.value for item in outside if item.kind == "Federated"]
        names = [
            *(f"account {account}" for account in accounts),
            *(f"organization {name}" for name in organizations),
            *(f"identity provider {name}" for name in providers),
        ]
        return Problem(
            title=f"{_callers(outside, accounts, organizations, providers)} can invoke {allowed.function}",
            reason=(
                f"The statement allows {listed(names)}. Only this account, its organization, and those in the "
                "configuration (trust.accounts and trust.organizations) are trusted."
            ),
            impact=f"Anyone who controls {listed(names)} can invoke the function with any input.",
            evidence={
                "accounts": accounts,
                "organizations": organizations,
                "principals": [item.value for item in outside],
            },
            remedies=in_steps(allowed, _remedy(allowed, outside)),
        )


def _callers(
    outside: Sequence[PrincipalExposure], accounts: list[str], organizations: list[str], providers: list[str]
) -> str:
    """Format the untrusted accounts, organizations and identity providers for a title, several as a number."""
    kinds = {
        "account": accounts,
        "organization": organizations,
        "identity provider": [principal_name(name).removeprefix("SAML provider ") for name in providers],
    }
    found = [(kind, name) for kind, names in kinds.items() for name in names]
    plurals = {_PLURALS[kind] for kind, _ in found}
    plural = plurals.pop() if len(plurals) == 1 else "parties"
    callers = f"untrusted {' '.join(found[0])}" if len(found) == 1 else f"{len(found)} untrusted {plural}"
    services = [item.value for item in outside if item.kind == "Service"]
    if len(services) == len(outside):
        callers = f"{few_sources(invoker_of(name).a_source for name in services)} of {callers}"
    return f"{callers[0].upper()}{callers[1:]}"


def _is_outside(item: PrincipalExposure, live: Collection[str], allowed: Allowed) -> bool:
    """Return whether a principal is not trusted. `live` are the services that invoke for a source of the statement."""
    if item.kind == "Federated":
        return (
            item.restriction in {Restriction.OPEN, Restriction.FOREIGN}
            and account_of(item.value) not in allowed.trust.accounts
        )
    return item.restriction is Restriction.FOREIGN and (item.kind != "Service" or item.value in live)


def _remedy(allowed: Allowed, outside: Sequence[PrincipalExposure]) -> tuple[Remedy, ...]:
    """Remove the untrusted values of the conditions or, if no other value is left, the untrusted principals."""
    principals = [item.value for item in outside]
    named = {name for item in outside for name in (*item.accounts, *item.organizations)}
    written = condition_of(allowed.statement.raw)
    condition = {
        operator: {
            key: values if "not" in operator.lower() else _without(values, named) for key, values in keys.items()
        }
        for operator, keys in written.items()
    }
    emptied = any(values == [] for keys in condition.values() for values in keys.values())
    direct = any(item.kind != "Service" and item.value != "*" for item in outside)
    if emptied or direct or condition == written:
        return removed(allowed, principals)
    principal = "*" if principals == ["*"] else {"Service": principals[0] if len(principals) == 1 else principals}
    return replaced(allowed, [changed(allowed, "-trusted", Condition=condition, Principal=principal)], principals)


def _without(values: JSON, named: set[str]) -> JSON:
    """Return the values of a condition without those that name an untrusted account or organization."""
    if not isinstance(values, list):
        return _without([values], named) and values
    return [text for text in values if named.isdisjoint({text, str(text).partition("/")[0], account_of(str(text))})]
