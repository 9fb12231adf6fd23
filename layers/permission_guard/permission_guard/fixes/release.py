"""Release a started fix: what was recorded before a change that is not made becomes a proposal again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from permission_guard.findings.conflicts import retry_on_conflict
from permission_guard.findings.lifecycle import Change, owner_of_fix
from permission_guard.model.findings import FixResult

if TYPE_CHECKING:
    from permission_guard.findings.store import FindingStore
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


def release(store: FindingStore, target: FunctionTarget, owned: Finding, token: str) -> None:
    """Make the started fix of `owned` a proposal without an approval command: it is planned again when it is its turn.

    That is no transition, so an approval of the finding stays what it is. Nothing changes if the fix is no longer
    started, or another invocation owns it. `token` becomes the owner: whoever has read the started fix does not go on.
    """
    retry_on_conflict(partial(_release, store, target, owned, token))


def _release(store: FindingStore, target: FunctionTarget, owned: Finding, token: str) -> None:
    current = store.finding(target, owned.id)
    fix = current.fix if current else None
    if current is None or fix is None or fix.result is not FixResult.APPLYING or fix.owner != owner_of_fix(owned):
        return
    proposed = replace(fix, result=FixResult.PROPOSED, undo="", owner=token, lease_until="")
    store.put_finding(Change(replace(current, fix=proposed), current.revision, expected_owner=fix.owner))
