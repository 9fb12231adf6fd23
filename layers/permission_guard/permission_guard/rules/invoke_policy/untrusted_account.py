"""PG106 untrusted-account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import UnknownStateError
from permission_guard.iam import Restriction
from permission_guard.iam.arn import account_of
from permission_guard.invokers import invoker_of
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import changed, condition_of, removed, replaced
from permission_guard.rules.invoke_policy.source_missing import either
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.iam import PrincipalExposure
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

_MOST_NAMES: Final = 3


class UntrustedAccount(StatementRule):
    """Allow other accounts and organizations only where they are trusted.

    ## What it flags

    A statement that lets an account, an organization, an identity provider, or a service for a source in such an
    account, invoke the function, where it is neither the function's own account or organization nor one of the
    parameters `TrustedAccounts` and `TrustedOrganizations`.

    ## Why it matters

    Somebody outside may call the function, with any input. Often it is a partner who was let in long ago and whose
    account is nobody's concern any more.

    ## How to fix

    If it is meant, add the account or the organization to the parameters of this stack; everything that it is let into
    passes from then on. If it is not, remove the statement, or what in its principals and conditions names them.

    ## Fix safety

    Not fixed automatically: whether it is meant is for a person to say.

    ## Limits

    Whether an account belongs to one's own organization cannot be asked from a member account: other accounts of the
    organization have to be listed in `TrustedAccounts`, or be let in by `aws:PrincipalOrgID`. When the own organization
    cannot be read, a statement that names one is unknown.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """

    id = "PG106"
    name = "untrusted-account"
    severity = Severity.HIGH
    reads = StatementRule.reads | {"organizations:DescribeOrganization"}

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag principals from accounts and organizations that are not trusted, and services that call for them."""
        if not allowed.exposure.grants_invoke:
            return "The statement does not let anyone invoke the function."
        outside = [item for item in allowed.exposure.principals if _is_outside(item, allowed)]
        if not outside:
            return "Nobody from an account or organization that is not trusted may invoke the function."
        own = allowed.snapshot.own_organization
        if isinstance(own, Unread):
            certain = [item for item in outside if item.accounts or not item.organizations]
            if not certain and allowed.exposure.closed_by is None:
                unclear = listed(sorted({name for item in outside for name in item.organizations}))
                raise UnknownStateError(f"Whether {unclear} is the own organization is not known: {own}.")
            outside = certain or outside
        accounts = sorted({account for item in outside for account in item.accounts})
        organizations = sorted({name for item in outside for name in item.organizations})
        providers = [item.value for item in outside if item.kind == "Federated"]
        names = [
            *(f"account {account}" for account in accounts),
            *(f"organization {name}" for name in organizations),
            *(f"identity provider {name}" for name in providers),
        ]
        services = [item.value for item in outside if item.kind == "Service"]
        shown = listed([*names[:_MOST_NAMES], *([f"{len(names) - _MOST_NAMES} more"] if names[_MOST_NAMES:] else [])])
        not_trusted = f"{shown}, which {'are' if len(names) > 1 else 'is'} not trusted,"
        if len(services) == len(outside):
            sources = either([invoker_of(name).a_source for name in services])
            title = f"{sources} of {not_trusted} can have {listed(services)} invoke {allowed.function}"
        else:
            title = f"{not_trusted} may invoke {allowed.function}"
        return Complaint(
            title=f"{title[0].upper()}{title[1:]}",
            reason=(
                f"The statement lets in {listed(names)}. Trusted are this account, its organization, and what the "
                "parameters TrustedAccounts and TrustedOrganizations name."
            ),
            impact=f"Whoever controls {listed(names)} can have the function run, with any input.",
            evidence={
                "accounts": accounts,
                "organizations": organizations,
                "principals": [item.value for item in outside],
            },
            remedies=_remedy(allowed, outside),
        )


def _is_outside(item: PrincipalExposure, allowed: Allowed) -> bool:
    if item.kind == "Federated":
        return (
            item.restriction in {Restriction.OPEN, Restriction.FOREIGN}
            and account_of(item.value) not in allowed.trust.accounts
        )
    live = {principal.value for invoker, principal in allowed.services if allowed.may_be_for(invoker)}
    return item.restriction is Restriction.FOREIGN and (item.kind != "Service" or item.value in live)


def _remedy(allowed: Allowed, outside: Sequence[PrincipalExposure]) -> tuple[Remedy, ...]:
    """Take away what lets in who is not trusted: values of the conditions where others are left, or the principals."""
    principals = [item.value for item in outside]
    named = {name for item in outside for name in (*item.accounts, *item.organizations)}
    written = condition_of(allowed)
    condition = {
        operator: {
            key: values if "not" in operator.lower() else _without(values, named) for key, values in keys.items()
        }
        for operator, keys in written.items()
    }
    emptied = any(values == [] for keys in condition.values() for values in keys.values())
    in_person = any(item.kind != "Service" and item.value != "*" for item in outside)
    if emptied or in_person or condition == written:
        return removed(allowed, principals)
    whom = "*" if principals == ["*"] else {"Service": principals}
    return replaced(allowed, [changed(allowed, "-trusted", Condition=condition, Principal=whom)], principals)


def _without(values: JSON, named: set[str]) -> JSON:
    """Return the values of a condition but those that name somebody."""
    if not isinstance(values, list):
        return _without([values], named) and values
    return [text for text in values if named.isdisjoint({text, str(text).partition("/")[0], account_of(str(text))})]
