"""Whether an invocation may fix, from the items that it read: what the code under test decides is not believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.calls import Call


@dataclass(slots=True)
class StopRead:
    """What an invocation has read of the switch and of the breaker with its last calls.

    `opening` is the opening of the breaker that the switch has ended.
    """

    is_running: bool = False
    has_read_all: bool = False
    opening: str = ""

    @property
    def may_fix(self) -> bool:
        """Whether its last calls have read both, and neither stops fixing."""
        return self.is_running and self.has_read_all

    def see(self, call: Call, decisions: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Note a call before it is answered; `decisions` are the items of the decisions table."""
        name = call.params["Key"].get("finding_id", {}).get("S") if call.operation == "GetItem" else ""
        item = decisions.get((name, "0"))
        if name == "FIXING":
            self.is_running = item is None or item["state"]["S"] != "stopped"
            self.opening, self.has_read_all = item["opening"]["S"] if item else "", False
        elif name == "BREAKER":
            opened_by = item["opened_by"]["L"] if item else []
            self.is_running &= not opened_by or opened_by[-1]["S"] == self.opening
            self.has_read_all = True
        else:
            self.is_running = self.has_read_all = False
