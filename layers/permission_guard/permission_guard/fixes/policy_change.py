"""What the fixes of resource-based policies share: add the new statements, verify, and only then remove the old ones.

Each call names the revision of the policy that was read, so that AWS rejects it if anybody changed the policy since.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from permission_guard.errors import FixNotVisibleError, FixRefusedError, RetryableError
from permission_guard.fixes.base import Rest
from permission_guard.fixes.invoke_policies import (
    ADD,
    PUT,
    REMOVE,
    InvokePolicy,
    call_to_add,
    call_to_put,
    call_to_remove,
    digest_of,
    digest_of_all,
    permission_of,
    size_of,
)
from permission_guard.fixes.policy_snapshots import with_statements
from permission_guard.model.state import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.fixes.base import FixState, Shows, Writer
    from permission_guard.model.findings import PlannedCall
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON

    Statement = Mapping[str, JSON]

READS: Final = frozenset(
    {"cloudformation:DescribeStackResources", "ec2:DescribeRegions", "lambda:GetPolicy", "lambda:ListTags"}
)


@record
class PolicyEdit:
    """A change of a policy, as its plan records it: the statements to add and, by Sid and digest, those to remove.

    `others` is the digest of all other statements. `is_atomic` is whether one call replaces the policy.
    """

    resource_arn: str
    added: tuple[Statement, ...]
    removed: tuple[Mapping[str, str], ...]
    others: str
    is_atomic: bool

    @classmethod
    def of(
        cls, policy: InvokePolicy, added: Iterable[Statement], removed: Iterable[Statement], *, is_atomic: bool
    ) -> PolicyEdit:
        """Return the change that adds statements to a policy and removes some of its own."""
        gone = list(removed)
        digests = set(map(digest_of, gone))
        return cls(
            policy.resource_arn,
            tuple(added),
            tuple({"sid": str(one.get("Sid") or ""), "digest": digest_of(one)} for one in gone),
            digest_of_all(one for one in policy.statements if digest_of(one) not in digests),
            is_atomic,
        )

    @classmethod
    def recorded(cls, change: Mapping[str, Any]) -> PolicyEdit:
        """Return the recorded change of a plan."""
        return cls(
            change["resource_arn"],
            tuple(change["added"]),
            tuple(change["removed"]),
            change["others"],
            change["atomic"],
        )

    def to_change(self) -> dict[str, JSON]:
        """Return the change as a plan records it."""
        return {
            "resource_arn": self.resource_arn,
            "added": [dict(one) for one in self.added],
            "removed": [dict(one) for one in self.removed],
            "others": self.others,
            "atomic": self.is_atomic,
        }

    @property
    def added_digests(self) -> frozenset[str]:
        """The digests of the statements to add."""
        return frozenset(map(digest_of, self.added))

    @property
    def removed_digests(self) -> frozenset[str]:
        """The digests of the statements to remove."""
        return frozenset(one["digest"] for one in self.removed)

    def calls(self, policy: InvokePolicy) -> tuple[PlannedCall, ...]:
        """Return the calls that make the change of a policy, those that add first."""
        if self.is_atomic:
            return (call_to_put(policy.with_statements(self.after(policy.statements)), self.resource_arn),)
        adding = (
            call_to_add(_required(permission_of(one, self.resource_arn)), self.resource_arn) for one in self.added
        )
        return (*adding, *(call_to_remove(one["sid"], self.resource_arn) for one in self.removed))

    def steps(self, statements: Sequence[Statement]) -> list[list[Statement]]:
        """Return the statements after each of the calls."""
        if self.is_atomic:
            return [self.after(statements)]
        steps, held = [], list(statements)
        for one in self.added:
            held = [*held, one]
            steps.append(held)
        for gone in self.removed:
            held = [one for one in held if digest_of(one) != gone["digest"]]
            steps.append(held)
        return steps

    def after(self, statements: Iterable[Statement]) -> list[Statement]:
        """Return the statements after the change."""
        kept = [one for one in statements if digest_of(one) not in self.removed_digests | self.added_digests]
        return [*kept, *self.added]

    def require_others(self, policy: InvokePolicy) -> None:
        """Raise RetryableError if other statements of the policy are not those of the plan."""
        mine = self.removed_digests | self.added_digests
        if digest_of_all(one for one in policy.statements if digest_of(one) not in mine) != self.others:
            raise RetryableError(f"The policy of {self.resource_arn} has changed since the fix was planned")


class PolicyChange:
    """A change of a resource-based policy by AddPermission and RemovePermission, or by one PutResourcePolicy."""

    reads: ClassVar[frozenset[str]] = READS
    writes: ClassVar[frozenset[str]] = frozenset({ADD, REMOVE, PUT})

    def apply(self, change: Mapping[str, JSON], writer: Writer, fix_state: FixState, shows: Shows) -> None:
        """Make each call of the revision that was read, when AWS shows the ones before it."""
        edit = PolicyEdit.recorded(change)
        for call in edit.calls(_read(edit.resource_arn, fix_state)):
            policy = _read(edit.resource_arn, fix_state)
            edit.require_others(policy)
            if _is_in_effect(call, edit, policy):
                continue
            if call.operation == REMOVE and not edit.added_digests <= _digests(policy):
                raise RetryableError(f"The policy of {edit.resource_arn} does not have the new statements any more")
            _make(call, writer, policy.revision)
            if not shows(partial(_shows, call, edit, fix_state)):
                raise FixNotVisibleError(f"AWS does not show the effect of {call.operation} on {edit.resource_arn} yet")

    def rest(
        self, change: Mapping[str, JSON], before: Mapping[str, JSON], snapshot: Snapshot, fix_state: FixState
    ) -> Rest | None:
        """Return the change with the snapshot as it would be without it, None if nothing of it is in effect."""
        edit = PolicyEdit.recorded(change)
        policy = _read(edit.resource_arn, fix_state)
        done = tuple(call for call in edit.calls(policy) if _is_in_effect(call, edit, policy))
        if not done:
            return None
        held = _digests(policy)
        gone = [one for one in _recorded(before) if digest_of(one) in edit.removed_digests - held]
        kept = [one for one in policy.statements if digest_of(one) not in edit.added_digests]
        return Rest(change, with_statements(snapshot, edit.resource_arn, [*kept, *gone]), done)

    def state(self, change: Mapping[str, JSON], fix_state: FixState) -> Mapping[str, JSON]:
        """Return those statements of the change that the policy has, its size, and a digest of all of them."""
        edit = PolicyEdit.recorded(change)
        policy = _read(edit.resource_arn, fix_state)
        return state_of(policy, edit, policy.statements)

    def is_applied(self, change: Mapping[str, JSON], fix_state: FixState) -> bool:
        """Return whether the policy has the new statements and none of the old ones."""
        edit = PolicyEdit.recorded(change)
        held = _digests(_read(edit.resource_arn, fix_state))
        return edit.added_digests <= held and not edit.removed_digests & held

    def guard_undo(self, change: Mapping[str, JSON], account: str, fix_state: FixState) -> None:
        """Refuse nothing more: the function is guarded, and the policy belongs to it."""

    def undo_calls(
        self, change: Mapping[str, JSON], before: Mapping[str, JSON], fix_state: FixState
    ) -> tuple[PlannedCall, ...]:
        """Return the calls that add the removed statements again, and then remove those that the change added.

        FixRefusedError if AddPermission cannot write a removed statement, or somebody else has used its Sid.
        """
        edit = PolicyEdit.recorded(change)
        policy = _read(edit.resource_arn, fix_state)
        held, sids = _digests(policy), {one.get("Sid") for one in policy.statements}
        back = [one for one in _recorded(before) if digest_of(one) in edit.removed_digests - held]
        if len(edit.removed_digests - held) != len(set(map(digest_of, back))):
            raise FixRefusedError("The record of the fix does not say which statements the policy had before.")
        # One that the policy had before is not one that the change added.
        had = set(map(digest_of, _recorded(before)))
        added = [one for one in edit.added if digest_of(one) in held - had]
        if edit.is_atomic:
            return self._atomic_undo(edit, policy, [*back], fix_state) if back or added else ()
        permissions = [permission_of(one, edit.resource_arn) for one in back]
        for one, permission in zip(back, permissions, strict=True):
            if permission is None:
                raise FixRefusedError(f"AddPermission cannot write the statement {one.get('Sid')!r} for the bot again.")
            if one["Sid"] in sids:
                raise FixRefusedError(f"Somebody has added another statement {one['Sid']!r} since.")
        return (
            *(call_to_add(_required(one), edit.resource_arn) for one in permissions),
            *(call_to_remove(str(one["Sid"]), edit.resource_arn) for one in added),
        )

    def _atomic_undo(
        self, edit: PolicyEdit, policy: InvokePolicy, back: Sequence[Statement], fix_state: FixState
    ) -> tuple[PlannedCall, ...]:
        """Return the call that writes the policy as it was. Nobody may have changed it since."""
        if not fix_state.replaces_policies():
            raise FixRefusedError("The bot may not replace policies any more: AtomicNarrowing is false.")
        try:
            edit.require_others(policy)
        except RetryableError as error:
            raise FixRefusedError(f"{error}. Manual action required.") from error
        kept = [one for one in policy.statements if digest_of(one) not in edit.added_digests]
        return (call_to_put(policy.with_statements([*kept, *back]), edit.resource_arn),)

    def undo(self, call: PlannedCall, change: Mapping[str, JSON], writer: Writer, fix_state: FixState) -> None:
        """Add or remove one statement, or write the policy as it was."""
        edit = PolicyEdit.recorded(change)
        policy = _read(edit.resource_arn, fix_state)
        if call.operation == PUT:
            edit.require_others(policy)
        if call.operation == REMOVE:
            name = call.parameters["StatementId"]
            found = [one for one in policy.statements if one.get("Sid") == name]
            if not found or digest_of(found[0]) not in edit.added_digests:
                raise RetryableError(f"The statement {name} of {edit.resource_arn} is not the one that the fix added")
        _make(call, writer, policy.revision)


def _read(resource_arn: str, fix_state: FixState) -> InvokePolicy:
    """Read a policy as it is now. RetryableError when it cannot be read."""
    policy = fix_state.invoke_policy(resource_arn)
    if isinstance(policy, Unread):
        raise RetryableError(f"The policy of {resource_arn} could not be read: {policy}")
    return policy


def state_of(policy: InvokePolicy, edit: PolicyEdit, statements: Sequence[Statement]) -> dict[str, JSON]:
    """Return the state of a policy with some statements: in full only those that the change is about."""
    mine = edit.removed_digests | edit.added_digests
    changed = sorted((one for one in statements if digest_of(one) in mine), key=digest_of)
    return {
        "resource_arn": policy.resource_arn,
        "statements": [dict(one) for one in changed],
        "statements_digest": digest_of_all(statements),
        "bytes": size_of(policy.with_statements(statements)) if statements else 0,
    }


def complete_state_of(policy: InvokePolicy, edit: PolicyEdit) -> dict[str, JSON]:
    """Return the state of a policy with all of its statements, to restore them. Their order has no meaning."""
    state = state_of(policy, edit, policy.statements)
    others = sorted((one for one in policy.statements if dict(one) not in state["statements"]), key=digest_of)
    return {**state, "other_statements": [dict(one) for one in others]}


def _recorded(before: Mapping[str, Any]) -> Sequence[Statement]:
    """Return the statements of a recorded policy; none if the record does not have all of them."""
    changed, others = before.get("statements"), before.get("other_statements")
    return [*changed, *others] if isinstance(changed, list) and isinstance(others, list) else ()


def _digests(policy: InvokePolicy) -> set[str]:
    return set(map(digest_of, policy.statements))


def _is_in_effect(call: PlannedCall, edit: PolicyEdit, policy: InvokePolicy) -> bool:
    """Return whether a policy is as a call of the change makes it."""
    held, name = _digests(policy), call.parameters.get("StatementId")
    if call.operation == ADD:
        return any(one["Sid"] == name and digest_of(one) in held for one in edit.added)
    if call.operation == REMOVE:
        return not any(one["sid"] == name and one["digest"] in held for one in edit.removed)
    return edit.added_digests <= held and not edit.removed_digests & held


def _shows(call: PlannedCall, edit: PolicyEdit, fix_state: FixState) -> bool:
    return _is_in_effect(call, edit, _read(edit.resource_arn, fix_state))


def _make(call: PlannedCall, writer: Writer, revision: str) -> None:
    calls = {ADD: writer.add_permission, REMOVE: writer.remove_permission, PUT: writer.put_resource_policy}
    calls[call.operation](call.parameters, revision)


def _required(permission: Any) -> Any:
    if permission is None:
        raise ValueError("a planned statement is none that AddPermission writes")
    return permission
