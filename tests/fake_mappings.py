"""Event source mappings in memory, and IAM's policy simulator: what follows a fix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from permission_guard.fixes.simulation import SimulatedDecision
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.fixes.simulation import Requests
    from permission_guard.model.state import EventSourceMapping
    from tests.fakes import InMemoryState


@dataclass
class InMemoryMappings:
    """Reads, enables and disables the mappings of a state. `errors` are raised by the next writes, None is no error.

    `before_read` runs before every read, to simulate somebody else. `unread` is what the next read returns instead.
    """

    state: InMemoryState
    errors: list[Exception | None] = field(default_factory=list)
    before_read: Callable[[], None] = lambda: None
    unread: Unread | None = None
    enabled: list[tuple[str, str]] = field(default_factory=list)
    disabled: list[tuple[str, str]] = field(default_factory=list)
    named: str = ""
    hidden: int = 0

    def mapping(self, uuid: str) -> EventSourceMapping | Unread | None:
        self.before_read()
        if self.unread:
            return self.unread
        return next((one for one in self._all if one.uuid == uuid), None)

    def for_finding(self, finding_id: str) -> InMemoryMappings:
        self.named = finding_id
        return self

    def enable_mapping(self, uuid: str) -> None:
        self._write(uuid, "Enabling", self.enabled)

    def disable_mapping(self, uuid: str) -> None:
        self._write(uuid, "Disabling", self.disabled)

    def _write(self, uuid: str, state: str, written: list[tuple[str, str]]) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error:
            raise error
        written.append((uuid, self.named))
        if not self.hidden:
            self.change(uuid, state=state, state_transition_reason="USER_INITIATED", last_processing_result="")

    def change(self, uuid: str, **values: str) -> None:
        """Change a mapping."""
        changed = tuple(replace(one, **values) if one.uuid == uuid else one for one in self._all)  # type: ignore[arg-type]
        self.state.state = replace(self.state.state, mappings=changed)

    @property
    def _all(self) -> tuple[EventSourceMapping, ...]:
        assert not isinstance(self.state.state.mappings, Unread)
        return self.state.state.mappings


@dataclass
class InMemorySimulator:
    """Answers with what tests say, the last answer again and again; without one it allows everything."""

    answers: list[Sequence[SimulatedDecision] | Unread] = field(default_factory=list)
    asked: list[tuple[str, Requests, str]] = field(default_factory=list)

    def decisions(self, role_arn: str, requests: Requests, region: str) -> Sequence[SimulatedDecision] | Unread:
        self.asked.append((role_arn, requests, region))
        if not self.answers:
            return [SimulatedDecision(action=action, resource=arn, is_allowed=True) for action, arn in requests]
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
