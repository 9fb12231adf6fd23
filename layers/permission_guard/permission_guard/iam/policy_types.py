"""One layer of the evaluation: the policies of one kind, and what together they say of a request."""

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
    """What the policies of one kind say: whether they deny, and whether they allow.

    For the policies of a resource `account`, `role` and `direct` tell apart how they allow; `allow` is the best.
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
        "unread_reasons",
        "unsure_allows",
        "unsure_denies",
    )

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.allow = self.deny = FALSE
        self.account = self.role = self.direct = FALSE
        self.allowed_by: DecidingStatement | None = None
        self.denied_by: DecidingStatement | None = None
        self.unsure_allows: list[Statement] = []
        self.unsure_denies: list[Statement] = []
        self.unread_reasons: list[str] = []

    @property
    def may_allow(self) -> bool:
        """Whether it perhaps allows: altogether, or the very caller where it delegates to the account for certain."""
        return UNKNOWN in {self.allow, self.role, self.direct}

    def unread(self, reason: str) -> None:
        """Take in a policy that exists and could not be read: it may allow and it may deny."""
        self.allow = max(self.allow, UNKNOWN)
        self.direct = max(self.direct, UNKNOWN)
        self.deny = max(self.deny, UNKNOWN)
        self.unread_reasons.append(reason)

    def reference(self, *, denies: bool) -> StatementRef | None:
        """Return the statement that denies, or the one that allows."""
        deciding = self.denied_by if denies else self.allowed_by
        if deciding is None:
            return None
        policy, statement = deciding
        return StatementRef(policy.name, statement.sid, statement.index, statement.effect, self.kind)


def evaluate_identity(
    kind: str, policies: Iterable[Policy], action: str, resource: str, lookup: Lookup
) -> PolicyTypeResult:
    """Evaluate policies that name no principal: those of an identity, a boundary, a session or an SCP level."""
    result = PolicyTypeResult(kind)
    for policy in policies:
        if policy.unreadable:
            result.unread(_unread(kind, policy))
            continue
        denies, allows = policy.speaking_of(action)
        for statement, sure in denies:
            matched = _limited(min(sure, statement.match(resource, lookup)), statement)
            if matched == UNKNOWN:
                result.unsure_denies.append(statement)
            if matched > result.deny:
                result.deny, result.denied_by = matched, (policy, statement)
                if matched == TRUE:
                    return result
        if result.allow == TRUE:
            continue
        for statement, sure in allows:
            matched = _limited(min(sure, statement.match(resource, lookup)), statement)
            if matched == UNKNOWN:
                result.unsure_allows.append(statement)
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
    """Evaluate policies that name principals: the resource's own, or those of an RCP level."""
    result = PolicyTypeResult(kind)
    for policy in policies:
        if policy.unreadable:
            result.unread(_unread(kind, policy))
            continue
        denies, allows = policy.speaking_of(action)
        for statement, sure in denies:
            means = _means(statement, principal, denies=True, bounded=bounded)
            matched = min(sure, max(means), statement.match(resource, lookup))
            if matched == UNKNOWN:
                result.unsure_denies.append(statement)
            if matched > result.deny:
                result.deny, result.denied_by = matched, (policy, statement)
                if matched == TRUE:
                    return result
        for statement, sure in allows:
            means = _means(statement, principal, denies=False, bounded=bounded)
            matched = min(sure, statement.match(resource, lookup)) if max(means) else FALSE
            account, role, direct = (min(matched, means[0]), min(matched, means[1]), min(matched, means[2]))
            result.account = max(result.account, account)
            result.role = max(result.role, role)
            result.direct = max(result.direct, direct)
            best = max(account, role, direct)
            if best == UNKNOWN:
                result.unsure_allows.append(statement)
            if best > result.allow:
                result.allow, result.allowed_by = best, (policy, statement)
    return result


def _limited(matched: int, statement: Statement) -> int:
    """Cap the answer of a statement that names a principal where none belongs."""
    return matched if statement.principals is None else min(matched, UNKNOWN)


def _means(statement: Statement, principal: Principal, *, denies: bool, bounded: bool) -> Sequence[int]:
    if statement.principals is None:
        return FALSE, FALSE, UNKNOWN
    return statement.principals.match(principal, denies=denies, bounded=bounded)


def _unread(kind: str, policy: Policy) -> str:
    return f"the {kind} policy {policy.name!r} could not be read: {'; '.join(policy.problems)}"


def doubts_of(result: PolicyTypeResult, lookup: Lookup, *, denies_only: bool) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the unknown keys and the reasons behind a layer that is not certain."""
    yield [], result.unread_reasons
    unsure = list(result.unsure_denies)
    if not denies_only and result.may_allow:
        unsure += result.unsure_allows
    for statement in unsure:
        yield list(statement.unknown_keys(lookup)), list(statement.problems)
