"""PG106 untrusted-account."""

from __future__ import annotations

from permission_guard.iam import Hold
from permission_guard.invokers import invoker_of
from permission_guard.model import Severity, Unread
from permission_guard.rules.base import UnknownStateError
from permission_guard.rules.cures import removed
from permission_guard.rules.statements import Allowed, Complaint, StatementRule, listed


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
    passes from then on. If it is not, remove the statement.

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
        live = {item.value for _, item in allowed.services}
        outside = [
            item
            for item in allowed.exposure.principals
            if (item.hold is Hold.FOREIGN and (item.kind != "Service" or item.value in live))
            or (item.kind == "Federated" and item.hold is Hold.OPEN)
        ]
        if not outside:
            return "Nobody from an account or organization that is not trusted may invoke the function."
        accounts = sorted({account for item in outside for account in item.accounts})
        organizations = sorted({name for item in outside for name in item.organizations})
        providers = [item.value for item in outside if item.kind == "Federated"]
        own = allowed.snapshot.own_organization
        if organizations and not accounts + providers and isinstance(own, Unread):
            raise UnknownStateError(f"Whether {listed(organizations)} is the own organization is not known: {own}.")
        names = [
            *(f"account {account}" for account in accounts),
            *(f"organization {name}" for name in organizations),
            *(f"identity provider {name}" for name in providers),
        ]
        services = [item.value for item in outside if item.kind == "Service"]
        whom = listed(names)
        by = f"{listed(services)} for a {invoker_of(services[0]).source} of {whom}" if services else whom
        return Complaint(
            title=f"{by[0].upper()}{by[1:]} may invoke {allowed.function}, and is not trusted"
            if not services
            else f"{by} may invoke {allowed.function}, and that is not trusted",
            reason=(
                f"The statement lets in {whom}. Trusted are this account, its organization, and what the parameters "
                "TrustedAccounts and TrustedOrganizations name."
            ),
            impact=f"Whoever controls {whom} can call the function, with any input.",
            evidence={
                "accounts": accounts,
                "organizations": organizations,
                "principals": [item.value for item in outside],
            },
            remedies=removed(allowed, [item.value for item in outside]),
        )
