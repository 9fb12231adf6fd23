"""Write a policy that is nearly full with fewer statements, which allow exactly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.certify import Kind
from permission_guard.fixes.invoke_policies import digest_of, named, size_of, statements_in
from permission_guard.fixes.policy_change import PolicyChange
from permission_guard.fixes.policy_plans import Draft, guard_removal, planned, subject_of
from permission_guard.iam.compaction import compacted

if TYPE_CHECKING:
    from permission_guard.fixes.base import Check, FixState, Plan
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot


class CompactPolicy(PolicyChange):
    """Merge statements that differ in one element, and drop copies and what other statements cover.

    Only PutResourcePolicy can write a statement with several sources. It is not safe: the Sids of the merged statements
    are gone, and whoever removes a permission by its Sid does not find it.
    """

    name: ClassVar[str] = "compact-policy"
    rule_ids: ClassVar[frozenset[str]] = frozenset({"PG113"})
    is_safe: ClassVar[bool] = False

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState, check: Check) -> Plan:
        """Return the plan; FixRefusedError if the policy cannot be replaced, or nothing of it can be merged."""
        subject = subject_of(finding, snapshot, check)
        if not fix_state.replaces_policies():
            raise FixRefusedError(
                "Only PutResourcePolicy writes statements with several sources: set AtomicNarrowing, or apply the "
                "remedy."
            )
        current = subject.current
        document = current.with_statements(current.statements)
        found = statements_in(compacted(document))
        if len(found) >= len(current.statements):
            raise FixRefusedError("No statements can be merged. A person has to decide which the function needs.")
        held, kept = set(map(digest_of, current.statements)), set(map(digest_of, found))
        removed = [one for one in current.statements if digest_of(one) not in kept]
        for one in removed:
            guard_removal(one, current.resource_arn, fix_state)
        added = [named(one) for one in found if digest_of(one) not in held]
        after = current.with_statements([*(one for one in found if digest_of(one) in held), *added])
        draft = Draft(
            kind=Kind.COMPACT,
            words=f"write the policy of {current.resource_arn} with {len(found)} instead of {len(current.statements)} "
            f"statements, and {size_of(after):,} instead of {size_of(document):,} bytes",
            added=tuple(added),
            removed=tuple(removed),
            sources=(),
            unknowns=("Who removes permissions by the Sids that are merged: they do not exist afterwards.",),
            is_atomic=True,
        )
        return planned(subject, draft, check)
