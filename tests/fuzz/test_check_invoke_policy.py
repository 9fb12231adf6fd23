"""Mutated events to the checker of resource-based policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.model.targets import Direction
from tests.fuzz.checkers import checker
from tests.fuzz.harness import Fuzz, run

if TYPE_CHECKING:
    from collections.abc import Callable

FUZZ = checker("check_invoke_policy", Direction.INVOKE_POLICY, "add_permission", "update_alias")


def test_no_message_stops_the_others(loaded: Callable[[Fuzz], Any]) -> None:
    """Every good message has its function checked."""
    run(FUZZ, loaded(FUZZ))
