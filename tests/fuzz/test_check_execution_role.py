"""Mutated events to the checker of execution roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.model.targets import Direction
from tests.fuzz.checkers import checker
from tests.fuzz.harness import Fuzz, run

if TYPE_CHECKING:
    from collections.abc import Callable

FUZZ = checker("check_execution_role", Direction.EXECUTION_ROLE, "put_role_policy", "update_function_configuration")


def test_no_message_stops_the_others(loaded: Callable[[Fuzz], Any]) -> None:
    """Every good message has its function checked."""
    run(FUZZ, loaded(FUZZ))
