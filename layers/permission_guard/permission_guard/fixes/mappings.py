"""Enable an event source mapping again that AWS disabled because its function's role lacked a permission.

AWS does not enable it when the role is fixed. A mapping that a person disabled stays disabled, and so does one of which
AWS does not say that a missing permission is the cause.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeGuard

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.iam.arn import require_arn
from permission_guard.model.findings import PlannedCall
from permission_guard.model.state import DisabledBy, Unread, subject
from permission_guard.needs.mapping_health import CANNOT_ASSUME, permission_error_of
from permission_guard.remedies.aws_cli import aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.fixes.base import Plan
    from permission_guard.model.findings import Finding, FixRecord
    from permission_guard.model.state import EventSourceMapping, Snapshot
    from permission_guard.model.targets import JSON

UPDATE: Final = "lambda:UpdateEventSourceMapping"
READ: Final = "lambda:GetEventSourceMapping"
RULES: Final = frozenset({"PG201"})
"""The rules whose findings are about a mapping that stops when the role lacks what they name."""

_STEP: Final = "then"
"""The key of a change under which it has what follows once AWS shows the change itself."""
_SETTLED: Final = {"Disabling": "Disabled", "Enabling": "Enabled"}


class MappingReader(Protocol):
    """Reads event source mappings without a cache."""

    def mapping(self, uuid: str) -> EventSourceMapping | Unread | None:
        """Read a mapping, None if it does not exist."""


class MappingWriter(Protocol):
    """The writes to an event source mapping that a fix and its undo may make."""

    def enable_mapping(self, uuid: str) -> None:
        """Enable a mapping."""

    def disable_mapping(self, uuid: str) -> None:
        """Disable a mapping."""


class MappingWriters(Protocol):
    """Makes the writers of mappings."""

    def for_finding(self, finding_id: str) -> MappingWriter:
        """Return a writer whose calls name a finding in CloudTrail."""


def with_mapping(plan: Plan, finding: Finding, snapshot: Snapshot) -> Plan:
    """Return a plan that also enables the mapping of its finding, if AWS disabled it for the missing permission."""
    mapping = _mapping_of(finding, snapshot)
    if mapping is None or mapping.disabled_by in (None, DisabledBy.PERSON):
        return plan
    if not is_disabled_for_permission(mapping):
        doubt = f"Why {subject(mapping)} is disabled: AWS names no missing permission. It stays disabled."
        return replace(plan, unknowns=(*plan.unknowns, doubt))
    step = {"action": UPDATE, **_facts(mapping)}
    return replace(
        plan,
        summary=f"{plan.summary}, then enable {subject(mapping)}",
        change={**plan.change, _STEP: step},
        calls=(*plan.calls, PlannedCall(operation=UPDATE, parameters={"UUID": mapping.uuid, "Enabled": True})),
        before={**plan.before, **_state(mapping)},
        expected={**plan.expected, "event_source_mapping": mapping.uuid, "mapping_state": "Enabled"},
    )


def is_disabled_for_permission(mapping: EventSourceMapping) -> bool:
    """Return whether AWS disabled a mapping, and says that the cause is a permission that the role lacked.

    A role that Lambda cannot assume lacks none: its trust policy is the cause.
    """
    error = permission_error_of(mapping)
    return mapping.disabled_by is DisabledBy.AWS and bool(error) and CANNOT_ASSUME not in error.lower()


def step_of(fix: FixRecord) -> Mapping[str, JSON] | None:
    """Return the mapping that a recorded plan enables, None if it enables none."""
    step: Mapping[str, JSON] | None = fix.change.get(_STEP)
    return step


def enabling(fix: FixRecord, step: Mapping[str, JSON]) -> FixRecord:
    """Return the record of a fix that is about to enable its mapping: what undoes it disables the mapping first."""
    if fix.enabled_mapping:
        return fix
    return replace(fix, enabled_mapping=True, undo=f"{_undo_of(step)}\n{fix.undo}")


def not_enabling(fix: FixRecord, step: Mapping[str, JSON]) -> FixRecord:
    """Return the record of a fix that did not enable its mapping: what undoes it leaves the mapping as it is."""
    return replace(fix, enabled_mapping=False, undo=fix.undo.removeprefix(f"{_undo_of(step)}\n"))


def enabled_step(fix: FixRecord) -> Mapping[str, JSON] | None:
    """Return the mapping that an applied fix enabled, None if it enabled none."""
    return step_of(fix) if fix.enabled_mapping else None


def calls_to_disable(step: Mapping[str, JSON], mapping: EventSourceMapping | Unread | None) -> tuple[PlannedCall, ...]:
    """Return the call that disables a mapping that a fix enabled, none if others changed or disabled it since.

    FixRefusedError if the mapping may not be read.
    """
    if isinstance(mapping, Unread):
        raise FixRefusedError(f"Event source mapping {step['uuid']} could not be read: {mapping}.")
    if not is_enabled(mapping):
        return ()
    if (mapping.function_arn, mapping.event_source_arn) != (step["function_arn"], step["event_source_arn"]):
        return ()
    return (PlannedCall(operation=UPDATE, parameters={"UUID": mapping.uuid, "Enabled": False}),)


def read_mapping(step: Mapping[str, JSON], reader: MappingReader) -> EventSourceMapping | Unread | None:
    """Read the mapping of a step. RetryableError if it could not be read for now."""
    mapping = reader.mapping(step["uuid"])
    if isinstance(mapping, Unread) and not mapping.denied:
        raise RetryableError(f"Event source mapping {step['uuid']} could not be read: {mapping}")
    return mapping


def is_enabled(mapping: EventSourceMapping | Unread | None) -> TypeGuard[EventSourceMapping]:
    """Return whether AWS shows a mapping as enabled, or as being enabled."""
    return mapping is not None and not isinstance(mapping, Unread) and _settled(mapping) == "Enabled"


def why_changed(step: Mapping[str, JSON], mapping: EventSourceMapping | Unread | None) -> str:
    """Return why a mapping is not the one of the plan any more, empty if it is exactly that.

    RetryableError while AWS is still disabling it.
    """
    if mapping is None:
        return "it no longer exists"
    if isinstance(mapping, Unread):
        return f"it could not be read: {mapping}"
    facts = _facts(mapping)
    changed = [name for name in facts if facts[name] != step.get(name)]
    if changed:
        return f"changed since it was planned: {', '.join(f'{name} is now {facts[name]!r}' for name in changed)}"
    if mapping.state != facts["state"]:
        raise RetryableError(f"Event source mapping {mapping.uuid} is still {mapping.state}")
    return ""


def state_of(mapping: EventSourceMapping | Unread | None, step: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return the state of a mapping as `before` and `after` of a fix have it; None for what is not known."""
    if mapping is None or isinstance(mapping, Unread):
        return {"event_source_mapping": step["uuid"], "mapping_state": None}
    return _state(mapping)


def _undo_of(step: Mapping[str, JSON]) -> str:
    """Return the command that disables the mapping again."""
    region = require_arn(step["function_arn"]).region
    return aws("lambda", "update-event-source-mapping", region, uuid=step["uuid"], no_enabled=True)


def _mapping_of(finding: Finding, snapshot: Snapshot) -> EventSourceMapping | None:
    if finding.rule_id not in RULES or isinstance(snapshot.mappings, Unread):
        return None
    return next((mapping for mapping in snapshot.mappings if subject(mapping) == finding.subject), None)


def _state(mapping: EventSourceMapping) -> Mapping[str, JSON]:
    return {
        "event_source_mapping": mapping.uuid,
        "mapping_state": _settled(mapping),
        "mapping_state_reason": mapping.state_transition_reason,
    }


def _facts(mapping: EventSourceMapping) -> dict[str, JSON]:
    """Return all that must be as planned when the mapping is enabled."""
    return {
        "uuid": mapping.uuid,
        "function_arn": mapping.function_arn,
        "event_source_arn": mapping.event_source_arn,
        "state": _settled(mapping),
        "state_transition_reason": mapping.state_transition_reason,
        "last_processing_result": mapping.last_processing_result,
    }


def _settled(mapping: EventSourceMapping) -> str:
    """Return the state that a mapping is in, or is about to be in. A plan is the same for both."""
    return _SETTLED.get(mapping.state, mapping.state)
