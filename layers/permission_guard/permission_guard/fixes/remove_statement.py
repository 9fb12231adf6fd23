"""Remove a statement that allows too much, or that nothing uses any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.certify import Kind
from permission_guard.fixes.invoke_policies import digest_of, permission_of
from permission_guard.fixes.policy_change import PolicyChange
from permission_guard.fixes.policy_plans import LATER, Draft, Subject, guard_removal, planned, subject_of
from permission_guard.fixes.proven_sources import proven_sources
from permission_guard.iam import Restriction, TrustSet
from permission_guard.invokers.allowed import statements_of
from permission_guard.invokers.sources import source_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.fixes.base import Check, FixState, Plan
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import FunctionUrl, Snapshot
    from permission_guard.model.targets import JSON

    Statement = Mapping[str, JSON]

_URL_RULE: Final = "PG107"
_MANAGEMENT_RULE: Final = "PG109"
_SOURCE_RULE: Final = "PG110"
_ENDED_RULE: Final = "PG111"
_EVERYONE: Final = "*"


class RemoveStatement(PolicyChange):
    """Remove the statement that a finding is about; for a function URL, all that everyone may do through it.

    It is not safe: who uses the statement is not visible. Only the triggers of the account are, and they stay allowed.
    """

    name: ClassVar[str] = "remove-statement"
    rule_ids: ClassVar[frozenset[str]] = frozenset({"PG101", _URL_RULE, _MANAGEMENT_RULE, _SOURCE_RULE, _ENDED_RULE})
    is_safe: ClassVar[bool] = False

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState, check: Check) -> Plan:
        """Return the plan; FixRefusedError if the statement is also for others, or a trigger of the account uses it.

        What else uses it is unknown.
        """
        subject = subject_of(finding, snapshot, check)
        allowed = _allowed(subject)
        _guard_others(finding.rule_id, subject, allowed)
        removed = _halves(subject) if finding.rule_id == _URL_RULE else (subject.statement,)
        for one in removed:
            guard_removal(one, subject.policy.resource_arn, fix_state)
        is_atomic = fix_state.replaces_policies() and len(subject.current.statements) > len(removed)
        lasting = [one for one in removed if permission_of(one, subject.policy.resource_arn) is None]
        sids = ", ".join(str(one.get("Sid") or "without a Sid") for one in removed)
        draft = Draft(
            kind=Kind.REMOVE,
            words=f"remove the statement {sids} of {subject.policy.resource_arn}",
            added=(),
            removed=tuple(removed),
            sources=()
            if finding.rule_id == _ENDED_RULE
            else proven_sources(snapshot, subject.policy, _services(allowed)),
            unknowns=(
                f"Who uses the statement {allowed.name}. CloudTrail shows it only with data events of Lambda.",
                *((_LASTING,) if lasting and not is_atomic else ()),
                LATER,
            ),
            is_atomic=is_atomic,
        )
        return planned(subject, draft, check)


_LASTING: Final = (
    "The bot cannot undo it, because it may add statements only for AWS services on its list. A person can, with the "
    "command in fix.undo."
)


def _allowed(subject: Subject) -> Allowed:
    digest = digest_of(subject.statement)
    return next(one for one in _every(subject) if digest_of(dict(one.statement.raw)) == digest)


def _every(subject: Subject) -> list[Allowed]:
    return list(statements_of(subject.policy, subject.snapshot, TrustSet(frozenset())))


def _guard_others(rule_id: str, subject: Subject, allowed: Allowed) -> None:
    """Refuse to remove a statement that is also for somebody or something that the problem is not about."""
    evidence = subject.problem.evidence
    if rule_id == _SOURCE_RULE:
        deleted = set(evidence.get("sources", ()))
        if not all(source_named(arn) in deleted for arn in allowed.source_arns()):
            raise FixRefusedError(f"The statement {allowed.name} also names sources that exist: apply the remedy.")
        return
    flagged = {_EVERYONE} if rule_id == _URL_RULE else set(evidence.get("principals", ()))
    written = _principals(allowed.statement.raw.get("Principal"))
    if written - flagged:
        others = ", ".join(sorted(written - flagged))
        raise FixRefusedError(f"The statement {allowed.name} also allows {others}: apply the remedy, which keeps that.")
    held = any(item.restriction is Restriction.HELD for item in allowed.exposure.principals)
    if rule_id == _MANAGEMENT_RULE and allowed.exposure.grants_invoke and held:
        raise FixRefusedError(
            f"The statement {allowed.name} also allows trusted principals to invoke: apply the remedy, which keeps "
            "that."
        )


def _halves(subject: Subject) -> tuple[Statement, ...]:
    """Return all statements that allow everyone a part of a call through the URL: PG112 would report one that is left.

    The one that the finding is about is the last one: a check in between would resolve the finding, and the rest would
    never be removed. The order does not depend on that of the policy, so that the rest is planned as the whole was.
    FixRefusedError if the URL takes calls without authentication, or that is unknown.
    """
    urls = subject.snapshot.function_urls
    if not isinstance(urls, tuple):
        raise FixRefusedError(f"Unknown whether the function has a URL: {urls}.")
    if any(_is_public(url) and url.qualifier == subject.policy.qualifier for url in urls):
        raise FixRefusedError(
            "The URL takes calls without authentication, and would return 403. A person has to decide: delete the URL, "
            "or set its AuthType to AWS_IAM."
        )
    digests = {
        digest_of(dict(one.statement.raw))
        for one in _every(subject)
        if one.exposure.public and one.exposure.function_url and one.exposure.grants_invoke
    }
    found = (one for one in subject.current.statements if digest_of(one) in digests)
    own = digest_of(subject.statement)
    return tuple(sorted(found, key=lambda one: (digest_of(one) == own, digest_of(one))))


def _is_public(url: FunctionUrl) -> bool:
    return url.auth_type == "NONE"


def _services(allowed: Allowed) -> Sequence[str] | None:
    """Return the services of a statement that allows only services, None if it may allow all of them."""
    principal = allowed.statement.raw.get("Principal")
    is_for_services = isinstance(principal, dict) and principal.keys() == {"Service"}
    return sorted(_principals(principal)) if is_for_services else None


def _principals(written: Any) -> set[str]:
    """Return the principals of a statement as they are written; none for a NotPrincipal."""
    if isinstance(written, str):
        return {written}
    lists = written.values() if isinstance(written, dict) else ()
    return {str(one) for values in lists for one in (values if isinstance(values, list) else [values])}
