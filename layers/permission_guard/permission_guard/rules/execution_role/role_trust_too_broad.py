"""PG208 role-trust-too-broad."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import TrustSet, exposure
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.remedies.trust_policy import (
    LAMBDA,
    LAMBDA_STATEMENT,
    replaced,
    statements_of,
    trust_policy_of,
    unreadable,
    without,
)
from permission_guard.rules.execution_role.role_not_assumable import assumed
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.execution_role.trusted_parties import Party, claims_of, parties
from permission_guard.rules.wording import listed, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.iam import Statement, StatementExposure
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict

_WORST_FIRST: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_SIGN_IN: Final = "https://signin.aws.amazon.com/saml"


class RoleTrustTooBroad(RoleRule):
    """Allow nobody but Lambda to assume the function's execution role.

    ## What it flags

    A statement of the execution role's trust policy that lets in others than `lambda.amazonaws.com` and
    `edgelambda.amazonaws.com`. What can happen decides how bad it is:

    - critical: anyone, in any AWS account;
    - high: `*` with nothing but an external ID; an account or an organization that is not trusted, in person or as
      the source for which a service calls; an identity provider of such an account; an identity provider (web
      identity or SAML) without a condition on who its users are (`sub`) or what the token is for (`aud`), the first
      of which it has to be where the provider serves everybody, as GitHub's does;
    - medium: a service that runs anyone's code with the role's credentials or hands them out, such as `ec2`,
      `ecs-tasks`, `glue`, `codebuild` or `cloudformation`;
    - low: any other service, such as `states`, `scheduler` or `events`; and the account itself (`:root`) without a
      condition, which leaves it to identity policies who may.

    Conditions, and statements that deny, are taken into account. Users and roles of the own account that are named,
    the own organization, trusted accounts and organizations, and services that are held to sources of any of these
    pass: somebody thought of them.

    ## Why it matters

    Who assumes the role can do all that the function can, without invoking it, with none of the function's own
    checks, and its log shows nothing. A role that several services share is broader than each of them needs, and
    whoever may pass it to one of them gets what is there for the others.

    ## How to fix

    Take out of the trust policy whoever is not Lambda, and give them a role of their own. If it is meant, hold them
    to what is meant: a named role instead of the account, a condition on `sub` for an identity provider,
    `aws:SourceArn` or `aws:SourceAccount` for a service that sends them. Accounts and organizations that are meant are
    added to the parameters `TrustedAccounts` and `TrustedOrganizations` of this stack.

    ## Fix safety

    Not fixed automatically: others may rely on the role.

    ## Limits

    When the own organization cannot be read, a statement for one that is not in `TrustedOrganizations` is unknown.
    Which accounts belong to it cannot be asked from a member account: one that is let in by its number has to be in
    `TrustedAccounts`. Whether anybody in the account is allowed to assume the role, or to pass it, is
    not asked. A condition on the claims of an identity provider is taken at its word: whether the repository that it
    names is one's own is not known.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG208"
    name = "role-trust-too-broad"
    severity = Severity.HIGH
    reads = RoleRule.reads | {"organizations:DescribeOrganization"}
    subjects = "trust"

    def about(self, role_arn: str) -> str:
        """Return what begins like every statement of the role's trust policy."""
        return f"trust/{role_arn.rpartition('/')[2]}/*"

    def judge(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag Allow statements for others than Lambda."""
        if role is None:
            return
        policy = role.trust_policy
        if policy.unreadable:
            yield self.unknown(snapshot.target.arn, self.about(role_arn), unreadable(role))
        own = snapshot.own_organization
        trust = TrustSet(
            self.trust.accounts | {snapshot.target.account},
            self.trust.organizations | ({own} if isinstance(own, str) else frozenset()),
        )
        for exposed in exposure(policy, trust).statements:
            yield self._statement(policy.statements[exposed.index], exposed, role, trust, snapshot)

    def _statement(
        self, statement: Statement, exposed: StatementExposure, role: Role, trust: TrustSet, snapshot: Snapshot
    ) -> Verdict:
        arn, subject = snapshot.target.arn, f"trust/{role.name}/{_name(statement)}"
        found = list(parties(statement, exposed, trust, snapshot.target.account))
        if not found:
            return self.passed(arn, subject, "It lets nobody assume the role who is neither needed nor trusted.")
        if exposed.closed_by is not None:
            return self.passed(arn, subject, f"The Deny statement {exposed.closed_by} takes all of it back.")
        broken = exposed.malformed or any(condition.problem for condition in statement.conditions)
        refused = [party.value for party in found if party.value != "*" and {"*", "?"} & set(party.value)]
        if broken or refused:
            problems = "; ".join([*exposed.problems, *(f"{value} is no principal" for value in refused)])
            return self.unknown(arn, subject, f"The statement cannot be read: {problems}.")
        own = snapshot.own_organization
        certain = [party for party in found if not (party.organizations and isinstance(own, Unread))]
        if not certain:
            names = listed(sorted({name for party in found for name in party.organizations}))
            return self.unknown(arn, subject, f"Whether {names} is the own organization is not known: {own}.")
        return self._too_broad(statement, certain, role, snapshot, subject)

    def _too_broad(
        self, statement: Statement, found: Sequence[Party], role: Role, snapshot: Snapshot, subject: str
    ) -> Verdict:
        worst = min((party.severity for party in found), key=_WORST_FIRST.index)
        ordered = sorted(found, key=lambda party: _WORST_FIRST.index(party.severity))
        everybody = dict.fromkeys(party.who for party in ordered)
        who, few = listed(everybody), some(everybody)
        accounts = sorted({account for party in found for account in party.accounts})
        organizations = sorted({name for party in found for name in party.organizations})
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=subject,
            title=f"{few[0].upper()}{few[1:]} may assume the execution role of {snapshot.target.name}",
            reason=f"The trust policy of {role.arn} lets in {who}. The function needs nobody but Lambda.",
            impact=" ".join(dict.fromkeys(party.what for party in ordered)),
            evidence={
                "role_arn": role.arn,
                "statement": dict(statement.raw),
                "principals": [party.value for party in found],
                "accounts": accounts,
                "organizations": organizations,
            },
            remedies=_remedy(statement, found, role, snapshot),
            severity=None if worst is self.severity else worst,
        )


def _name(statement: Statement) -> str:
    """Return a statement's Sid; one without is named by what it says, whatever stands before it."""
    if statement.sid:
        return statement.sid
    canonical = json.dumps(statement.raw, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _remedy(statement: Statement, found: Sequence[Party], role: Role, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return the trust policy without those whom it should not let in; Lambda stays."""
    outside = {(party.kind, party.value) for party in found}
    changed = [
        without(raw, outside) if index == statement.index else raw for index, raw in enumerate(statements_of(role))
    ]
    statements: list[JSON] = [raw for raw in changed if raw is not None]
    cured = replace(role, trust_policy=trust_policy_of(role, statements))
    if assumed(cured, LAMBDA, snapshot.target.arn, snapshot).denied:
        statements.append(dict(LAMBDA_STATEMENT))
    left = _narrowed(statement, found) or changed[statement.index] or dict(LAMBDA_STATEMENT)
    return (*replaced(role, statements), Remedy("policy-statement", json.dumps(left, indent=2)))


def _narrowed(statement: Statement, found: Sequence[Party]) -> dict[str, JSON] | None:
    """Return the statement for an identity provider with the condition that it lacks."""
    provider = next((party.value for party in found if party.kind == "Federated" and not party.accounts), "")
    prefix = claims_of(provider)
    if not provider:
        return None
    claims = {"SAML:aud": _SIGN_IN} if prefix == "saml" else {f"{prefix}:aud": "AUDIENCE", f"{prefix}:sub": "SUBJECT"}
    raw: dict[str, JSON] = dict(statement.raw)
    condition = raw.get("Condition") or {}
    # What is there for these claims, under another operator, is what was not enough.
    kept = {
        operator: {key: values for key, values in keys.items() if key not in claims}
        for operator, keys in condition.items()
    }
    equals = {**kept.get("StringEquals", {}), **claims}
    rest = {operator: keys for operator, keys in kept.items() if keys and operator != "StringEquals"}
    return {**raw, "Principal": {"Federated": provider}, "Condition": {**rest, "StringEquals": equals}}
