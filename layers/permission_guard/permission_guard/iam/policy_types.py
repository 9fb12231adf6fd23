"""One step of the evaluation: the result of all policies of one kind for a request."""

from __future__ import annotations

from permission_guard.iam.decision import StatementRef
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from permission_guard.iam.documents import Policy
    from permission_guard.iam.policy_variables import Lookup
    from permission_guard.iam.principals import Principal
    from permission_guard.iam.statements import Statement

    DecidingStatement = tuple[Policy, Statement]


class PolicyTypeResult:
    """The result of the policies of one kind: whether they deny, and whether they allow.

    For resource-based policies, `account`, `role` and `direct` say how they allow; `allow` is the maximum of the three.
    """

    __slots__ = (
        "account",
        "allow",
        "allowed_by",
        "denied_by",
        "deny",
        "direct",
        "kind",
        "role",
        "unknown_allows",
        "unknown_denies",
        "unread_reasons",
    )

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.allow = self.deny = FALSE
        self.account = self.role = self.direct = FALSE
        self.allowed_by: DecidingStatement | None = None
        self.denied_by: DecidingStatement | None = None
        self.unknown_allows: list[Statement] = []
        self.unknown_denies: list[Statement] = []
        self.unread_reasons: list[str] = []

    @property
    def may_allow(self) -> bool:
        """Whether it is unknown if the policies allow, or allow the caller itself in addition to its account."""
        return UNKNOWN in {self.allow, self.role, self.direct}

    def unread(self, reason: str) -> None:
        """Add a policy that exists and could not be read: it can allow, and it can deny."""
        self.allow = max(self.allow, UNKNOWN)
        self.direct = max(self.direct, UNKNOWN)
        self.deny = max(self.deny, UNKNOWN)
        self.unread_reasons.append(reason)

    def reference(self, *, denies: bool) -> StatementRef | None:
        """Return the statement that denies or the statement that allows."""
        deciding = self.denied_by if denies else self.allowed_by
        if deciding is None:
            return None
        policy, statement = deciding
        return StatementRef(policy.name, statement.sid, statement.index, statement.effect, self.kind)


def evaluate_identity(
    kind: str, policies: Iterable[Policy], action: str, resource: str, lookup: Lookup
) -> PolicyTypeResult:
    """Evaluate policies without principals: those of an identity, a boundary, a session or an SCP level."""
    result = PolicyTypeResult(kind)
    for policy in policies:
        if policy.unreadable:
            result.unread(_unread_reason(kind, policy))
            continue
        denies, allows = policy.speaking_of(action)
        for statement, action_match in denies:
            matched = _limited(min(action_match, statement.match(resource, lookup)), statement)
            if matched == UNKNOWN:
                result.unknown_denies.append(statement)
            if matched > result.deny:
                result.deny, result.denied_by = matched, (policy, statement)
                if matched == TRUE:
                    return result
        if result.allow == TRUE:
            continue
        for statement, action_match in allows:
            matched = _limited(min(action_match, statement.match(resource, lookup)), statement)
            if matched == UNKNOWN:
                result.unknown_allows.append(statement)
            if matched > result.allow:
                result.allow, result.allowed_by = matched, (policy, statement)
                if matched == TRUE:
                    break
    return result


def evaluate_resource(
    kind: str,
    policies: Iterable[Policy],
    principal: Principal,
    *,
    action: str,
    resource: str,
    lookup: Lookup,
    bounded: bool,
) -> PolicyTypeResult:
    """Evaluate policies with principals: the resource's own, or those of an RCP level."""
    result = PolicyTypeResult(kind)
    for policy in policies:
        if policy.unreadable:
            result.unread(_unread_reason(kind, policy))
            continue
        denies, allows = policy.speaking_of(action)
        for statement, action_match in denies:
            named = _named(statement, principal, denies=True, bounded=bounded)
            matched = min(action_match, max(named), statement.match(resource, lookup))
            if matched == UNKNOWN:
                result.unknown_denies.append(statement)
            if matched > result.deny:
                result.deny, result.denied_by = matched, (policy, statement)
                if matched == TRUE:
                    return result
        for statement, action_match in allows:
            named = _named(statement, principal, denies=False, bounded=bounded)
            matched = min(action_match, statement.match(resource, lookup)) if max(named) else FALSE
            account, role, direct = (min(matched, named[0]), min(matched, named[1]), min(matched, named[2]))
            result.account = max(result.account, account)
            result.role = max(result.role, role)
            result.direct = max(result.direct, direct)
            best = max(account, role, direct)
            if best == UNKNOWN:
                result.unknown_allows.append(statement)
            if best > result.allow:
                result.allow, result.allowed_by = best, (policy, statement)
    return result


def _limited(matched: int, statement: Statement) -> int:
    """Limit to UNKNOWN the match of a statement with a Principal element where AWS allows none."""
    return matched if statement.principals is None else min(matched, UNKNOWN)


def _named(statement: Statement, principal: Principal, *, denies: bool, bounded: bool) -> Sequence[int]:
    if statement.principals is None:
        return FALSE, FALSE, UNKNOWN
    return statement.principals.match(principal, denies=denies, bounded=bounded)


def _unread_reason(kind: str, policy: Policy) -> str:
    return f"the {kind} policy {policy.name!r} could not be read: {'; '.join(policy.problems)}"


def unknowns_of(
    result: PolicyTypeResult, lookup: Lookup, *, denies_only: bool
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the unknown keys and the reasons on which the result of one kind of policies depends."""
    yield [], result.unread_reasons
    statements = list(result.unknown_denies)
    if not denies_only and result.may_allow:
        statements += result.unknown_allows
    for statement in statements:
        yield list(statement.unknown_keys(lookup)), list(statement.problems)
