"""PG208 role-trust-too-broad."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam import TrustSet, exposure
from permission_guard.iam.principals import ANYONE
from permission_guard.iam.scoping import services_named
from permission_guard.iam.statements import ALLOW
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.remedies.decisions import placeholder, to_fill_in
from permission_guard.remedies.trust_policy import (
    LAMBDA,
    LAMBDA_STATEMENT,
    changed,
    statements_of,
    trust_policy_of,
    unreadable,
    without,
)
from permission_guard.rules.execution_role.role_not_assumable import assumed, names_lambda, other_name
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.execution_role.trusted_parties import Party, claims_of, parties
from permission_guard.rules.wording import counted, listed, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.iam import Statement, StatementExposure
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict

_WORST_FIRST: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_MOST_APART: Final = 3
_MOST_SHOWN: Final = 10
_CHANGES: Final = "Whoever this statement no longer names can no longer assume the role."
"""More statements than these have one remedy, for all of them: each remedy contains the whole trust policy."""
_SIGN_IN: Final = "https://signin.aws.amazon.com/saml"


class RoleTrustTooBroad(RoleRule):
    """Allow only Lambda to assume the function's execution role.

    ## What it flags

    A statement of the execution role's trust policy that allows principals other than `lambda.amazonaws.com` and
    `edgelambda.amazonaws.com`. The severity depends on the principal:

    - critical: anyone, in any AWS account;
    - high: `*` with only an external ID; an untrusted account or organization, as principal or as the source of a
      service; an identity provider of an untrusted account; an identity provider (web identity or SAML) without a
      condition on its users (`sub`) or on the audience of the token (`aud`). A provider that serves all tenants, such
      as GitHub's, needs the condition on `sub`;
    - medium: every service (`*` with `aws:PrincipalIsAWSService`), or a service that runs a user's code with the role's
      credentials or hands them out, such as `ec2`, `ecs-tasks`, `glue`, `codebuild` or `cloudformation`;
    - low: any other service, such as `states`, `scheduler` or `events`; and the own account (`:root`) without a
      condition, because then identity-based policies alone decide.

    Conditions and Deny statements are evaluated. These pass, because an owner chose them: named users and roles of the
    own account, the own organization, trusted accounts and organizations, and services that are limited to sources of
    any of these.

    ## Why it matters

    A principal that assumes the role can do everything that the function can. The function is not invoked: its own
    checks do not run, and its log shows nothing. A role that several services share has more permissions than each
    of them needs, and a principal that can pass it to one service gets the permissions for the others.

    ## How to fix

    Remove every principal except Lambda from the trust policy, and give it its own role. If the access is intended,
    limit it: a named role instead of the account, a condition on `sub` for an identity provider, `aws:SourceArn` or
    `aws:SourceAccount` for a service that sends them. Add intended accounts and organizations to
    `trust.accounts` and `trust.organizations` in `guard.yaml`.

    ## Fix safety

    Not fixed automatically: other principals may depend on the role.

    ## Limits

    - If the own organization cannot be read, a statement for an organization that is not in `trust.organizations` is
      unknown.
    - A member account cannot list the accounts of its organization: an account that the trust policy names by its id
      must be in `trust.accounts`.
    - Lambda's name in a regional form or with the domain of China, such as `lambda.amazonaws.com.cn`, passes: PG207
      evaluates whether Lambda can assume the role.
    - The rule does not check which principals of the account are allowed to assume or to pass the role.
    - The rule does not check whether the values in a condition on an identity provider's claims, such as a repository,
      belong to you.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG208"
    name = "role-trust-too-broad"
    severity = Severity.HIGH
    of_role = True
    reads = RoleRule.reads | {"organizations:DescribeOrganization"}
    subjects = "trust"

    def about(self, role_arn: str) -> str:
        """Return the subject of all statements of the role's trust policy."""
        return f"trust/{role_arn.rpartition('/')[2]}/*"

    def check_role(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag Allow statements for principals other than Lambda."""
        if role is None:
            return
        policy = role.trust_policy
        if policy.unreadable:
            yield self.unknown(snapshot.target.arn, self.about(role_arn), unreadable(role), role_arn=role_arn)
        own = snapshot.own_organization
        trust = TrustSet(
            self.trust.accounts | {snapshot.target.account},
            self.trust.organizations | ({own} if isinstance(own, str) else frozenset()),
        )
        flagged: dict[int, list[Party]] = {}
        for exposed in exposure(policy, trust).statements:
            found = self._check_statement(policy.statements[exposed.index], exposed, role, trust, snapshot)
            if isinstance(found, list):
                flagged[exposed.index] = found
            else:
                yield found
        together = _fixed(flagged, role, snapshot) if len(flagged) > _MOST_APART else ()
        for index, parties_of in flagged.items():
            fixed = together or _fixed({index: parties_of}, role, snapshot)
            yield self._too_broad(policy.statements[index], parties_of, role, snapshot, fixed)

    def _check_statement(
        self, statement: Statement, exposed: StatementExposure, role: Role, trust: TrustSet, snapshot: Snapshot
    ) -> Verdict | list[Party]:
        """Return a verdict, or the principals that a statement should not allow."""
        arn, subject = snapshot.target.arn, f"trust/{role.name}/{_name(statement)}"
        found = list(parties(statement, exposed, trust, snapshot.target.account))
        if not found:
            reason = "The statement allows only principals that are required or trusted."
            return self.passed(arn, subject, reason, role_arn=role.arn)
        if exposed.closed_by is not None:
            reason = f"The Deny statement {exposed.closed_by} denies all that it allows."
            return self.passed(arn, subject, reason, role_arn=role.arn)
        broken = exposed.malformed or any(condition.problem for condition in statement.conditions)
        invalid = [party.value for party in found if party.value != "*" and {"*", "?"} & set(party.value)]
        if broken or invalid:
            problems = "; ".join([*exposed.problems, *(f"{value} is not a valid principal" for value in invalid)])
            reason = f"Unknown: the statement cannot be read: {problems}."
            return self.unknown(arn, subject, reason, role_arn=role.arn)
        own = snapshot.own_organization
        certain = [party for party in found if not (party.organizations and isinstance(own, Unread))]
        if not certain:
            names = listed(sorted({name for party in found for name in party.organizations}))
            reason = f"Unknown: it depends on whether {names} is the own organization: {own}."
            return self.unknown(arn, subject, reason, role_arn=role.arn)
        return certain

    def _too_broad(
        self, statement: Statement, found: Sequence[Party], role: Role, snapshot: Snapshot, fixed: tuple[Remedy, ...]
    ) -> Verdict:
        worst = min((party.severity for party in found), key=_WORST_FIRST.index)
        ordered = sorted(found, key=lambda party: _WORST_FIRST.index(party.severity))
        who = listed(dict.fromkeys(party.who for party in ordered))
        left = json.dumps(_left(statement, found), indent=2)
        what = list(dict.fromkeys(party.what for party in ordered))
        more = len(what) > _MOST_SHOWN
        # Anyone includes all others, and is the worst.
        shown = ordered[:1] if ordered[0].severity is Severity.CRITICAL else ordered
        few = counted((party.name or party.who for party in shown), "principals besides Lambda")
        accounts = sorted({account for party in found for account in party.accounts})
        organizations = sorted({name for party in found for name in party.organizations})
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=f"trust/{role.name}/{_name(statement)}",
            title=f"{few[0].upper()}{few[1:]} can assume {role.name}",
            reason=f"The trust policy of {role.arn} allows {who}. The function only needs Lambda to assume the role.",
            impact=" ".join([*what[:_MOST_SHOWN], *([f"{len(what) - _MOST_SHOWN} more can do so."] if more else [])]),
            evidence={
                "role_arn": role.arn,
                "statement": dict(statement.raw),
                "principals": [party.value for party in found],
                "accounts": accounts,
                "organizations": organizations,
            },
            remedies=to_fill_in([*fixed, Remedy("policy-statement", left, changes=_CHANGES)]),
            severity=None if worst is self.severity else worst,
            role_arn=role.arn,
        )


def _name(statement: Statement) -> str:
    """Return a statement's Sid, else a hash of its content, which does not depend on other statements."""
    if statement.sid:
        return statement.sid
    canonical = json.dumps(statement.raw, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _fixed(flagged: Mapping[int, Sequence[Party]], role: Role, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return the trust policy without the principals that its statements should not allow; Lambda stays."""
    statements = [
        without(raw, _removed(role.trust_policy.statements[index], flagged[index])) if index in flagged else raw
        for index, raw in enumerate(statements_of(role))
    ]
    # The remedies of other findings remove other statements. Only a statement that names Lambda certainly stays.
    staying = [
        raw for raw in statements if isinstance(raw, dict) and (raw.get("Effect") != ALLOW or _names_lambda(raw))
    ]
    fixed = replace(role, trust_policy=trust_policy_of(role, staying))
    is_allowed = not assumed(fixed, LAMBDA, snapshot.target.arn, snapshot).denied or other_name(fixed, snapshot)
    added = [] if is_allowed else [dict(LAMBDA_STATEMENT)]
    who = some(dict.fromkeys(party.who for found in flagged.values() for party in found))
    changes = f"The role no longer trusts {who}. Credentials that were handed out remain valid until they expire."
    return changed(role, statements, added, snapshot.target.region, changes)


def _left(statement: Statement, found: Sequence[Party]) -> Mapping[str, JSON]:
    """Return what should be left of a statement; the one for Lambda if nothing is."""
    return _narrowed(statement, found) or without(statement.raw, _removed(statement, found)) or LAMBDA_STATEMENT


def _removed(statement: Statement, found: Sequence[Party]) -> set[tuple[str, str]]:
    """Return the principals to remove from a statement."""
    removed = {(party.kind, party.value) for party in found}
    if services_named(statement.conditions) is not None:
        removed.add(ANYONE)  # it stands for the services that satisfy the conditions
    return removed


def _names_lambda(raw: Mapping[str, JSON]) -> bool:
    principal = raw.get("Principal")
    services = principal.get("Service", ()) if isinstance(principal, dict) else ()
    return any(names_lambda(service) for service in ([services] if isinstance(services, str) else services))


def _narrowed(statement: Statement, found: Sequence[Party]) -> dict[str, JSON] | None:
    """Return the statement for an identity provider with the missing condition."""
    provider = next((party.value for party in found if party.kind == "Federated" and not party.accounts), "")
    prefix = claims_of(provider)
    if not provider:
        return None
    unknown = {f"{prefix}:aud": placeholder("AUDIENCE"), f"{prefix}:sub": placeholder("SUBJECT")}
    claims = {"SAML:aud": _SIGN_IN} if prefix == "saml" else unknown
    raw: dict[str, JSON] = dict(statement.raw)
    condition = raw.get("Condition") or {}
    # Conditions on these claims with other operators did not suffice: the new condition replaces them.
    kept = {
        operator: {key: values for key, values in keys.items() if key not in claims}
        for operator, keys in condition.items()
    }
    equals = {**kept.get("StringEquals", {}), **claims}
    rest = {operator: keys for operator, keys in kept.items() if keys and operator != "StringEquals"}
    return {**raw, "Principal": {"Federated": provider}, "Condition": {**rest, "StringEquals": equals}}
