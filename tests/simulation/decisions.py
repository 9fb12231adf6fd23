"""What people decide about fixes: about every one that waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.fixes.decisions import why_not_undone
from permission_guard.model.findings import FixResult, Status
from tests.simulation.observations import FINDING_PREFIX, read

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from tests.simulation.world import World


def decide(world: World, kind: str) -> None:
    """Approve or reject every proposal."""
    for finding in findings_in(world):
        fix = finding.fix
        if finding.status is Status.OPEN and fix and fix.result is FixResult.PROPOSED and fix.approve:
            _send(world, kind, finding, fix.plan_hash)


def undo(world: World) -> None:
    """Request the undo of every fix that can be undone."""
    for finding in findings_in(world):
        if finding.fix and not why_not_undone(finding.fix):
            _send(world, "undo", finding, finding.fix.plan_hash)


def _send(world: World, kind: str, finding: Finding, plan_hash: str) -> None:
    request = {
        "kind": kind,
        "nonce": f"{world.calls:032x}",
        "finding_id": finding.id,
        "function_arn": finding.function_arn,
        "revision": finding.revision,
        "plan_hash": plan_hash,
    }
    world.invoke_asynchronously("decide_fix", request, f"a person decides: {kind} {finding.rule_id}", 0)


def findings_in(world: World) -> list[Finding]:
    """Return every finding of the table."""
    items = world.tables.items["FindingsTable"].values()
    return [read(item) for item in items if item["sk"]["S"].startswith(FINDING_PREFIX)]
