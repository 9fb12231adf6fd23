"""The effect of Deny statements on an Allow: a Deny counts only if it covers the Allow completely."""

from __future__ import annotations

from permission_guard.iam.arn import account_of, is_account_id
from permission_guard.iam.conditions import FOR_ANY
from permission_guard.iam.glob import Glob, compile_glob
from permission_guard.iam.patterns import overlaps, symbols_of
from permission_guard.iam.scoping import OPEN, SCOPING_KEYS, Scope, complement, holds_for_kind, no_caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.iam.conditions import Condition
    from permission_guard.iam.statements import Statement


def denies_all_of(deny: Statement, allow: Statement) -> bool:
    """Return whether a Deny denies everything that an Allow allows."""
    if allow.principals is None or deny.principals is None or not covers(deny, allow):
        return False
    if not all(_applies_to(deny, kind, value) for kind, value in allow.principals.entries):
        return False
    return all(any(_implies(ours, theirs) for ours in allow.conditions) for theirs in deny.conditions)


def _implies(condition: Condition, other: Condition) -> bool:
    """Return whether a condition is true only if another is: same key, and only values that the other has."""
    if condition.operator is None or other.operator is None or condition.key != other.key:
        return False
    if condition.qualifier or other.qualifier or condition.if_exists or condition.negated or other.negated:
        return False
    if condition.operator.name == other.operator.name:
        if set(condition.texts) <= set(other.texts):
            return True
    elif condition.operator.name != "StringEquals":
        return False
    return other.operator.name == "StringLike" and all(_within(text, other.texts) for text in condition.texts)


def remaining_scopes(
    allow: Statement, denies: Iterable[Statement], kind: str, value: str, *, variables: bool
) -> Iterator[Scope]:
    """Yield, for each Deny that denies all callers with exceptions, those exceptions."""
    for deny in denies:
        if deny.principals is None or deny.principals.problems or not covers(deny, allow):
            continue
        rest = [theirs for theirs in deny.conditions if not any(_implies(ours, theirs) for ours in allow.conditions)]
        rest = [condition for condition in rest if holds_for_kind(condition, kind, value) is not True]
        if deny.principals.negated:
            if not rest:
                yield _excepted(deny.principals.entries, kind, value)
        elif _applies_to(deny, kind, value) and all(map(_has_exceptions, rest)):
            yield complement(rest, variables=variables, service=kind == "Service")


def _has_exceptions(condition: Condition) -> bool:
    """Return whether a Deny with this condition denies all callers except those that the key's values name."""
    if condition.compares_no_arn or condition.qualifier == FOR_ANY:
        return False
    return condition.negated and condition.key in SCOPING_KEYS


def _excepted(entries: list[tuple[str, str]], kind: str, value: str) -> Scope:
    """Return the callers of a principal that a Deny with NotPrincipal does not deny."""
    if (kind, value) in entries:
        return OPEN
    accounts = frozenset(_account(text) for sort, text in entries if sort == "AWS")
    if (kind, value) == ("AWS", "*"):
        # An excepted service is not denied, and anyone can make it call.
        return Scope(accounts=accounts) if all(sort == "AWS" for sort, _ in entries) else OPEN
    if kind == "AWS" and _account(value) in accounts:
        return OPEN
    return no_caller(f"{value} is not an exception of a Deny")


def _account(value: str) -> str:
    return account_of(value) or value


def covers(deny: Statement, allow: Statement) -> bool:
    """Return whether a Deny applies to every action and every resource of an Allow."""
    if allow.not_action or allow.not_resource:
        return False
    if deny.actions is None or allow.actions is None or not _covers_resources(deny, allow):
        return False
    actions = [text.lower() for text in deny.action_texts]
    return all(_covers_pattern(text.lower(), actions, negated=deny.not_action) for text in allow.action_texts)


def _covers_resources(deny: Statement, allow: Statement) -> bool:
    """Return whether a Deny applies to every resource of an Allow. Statements of a trust policy apply to the role."""
    if deny.resources is None or allow.resources is None:
        return deny.is_trust and allow.is_trust
    resources = [pattern.text for pattern in deny.resources]
    return all(_covers_pattern(pattern.text, resources, negated=deny.not_resource) for pattern in allow.resources)


def _covers_pattern(text: str, patterns: list[str], *, negated: bool) -> bool:
    """Return whether everything that a pattern matches is matched by the patterns, or by none of them if negated."""
    if not negated:
        return _within(text, patterns)
    return not ("${" in text or any("${" in pattern or overlaps(pattern, symbols_of(text)) for pattern in patterns))


def _within(text: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns matches everything that a pattern matches.

    The text can be matched as if it were literal, because only a `*` of a pattern matches its `*`. If the text contains
    `*`, each `?` of a pattern is compared literally, because it does not match everything that a `*` matches.
    """
    return any(
        (Glob(pattern.split("*")) if "*" in text and "?" in pattern else compile_glob(pattern)).matches(text)
        for pattern in patterns
    )


def _applies_to(deny: Statement, kind: str, value: str) -> bool:
    """Return whether a Deny names a principal, its account, or `*`."""
    principals = deny.principals
    if principals is None or principals.negated or principals.problems:
        return False
    if ("AWS", "*") in principals.entries or (kind, value) in principals.entries:
        return True
    account = _account(value)
    if kind != "AWS" or not is_account_id(account):
        return False
    return any((kind, name) in principals.entries for name in (account, f"arn:aws:iam::{account}:root"))
