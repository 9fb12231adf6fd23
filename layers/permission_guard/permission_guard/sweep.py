"""Have every function looked at: what events told late, twice or never is found here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from permission_guard.model import FunctionTarget


class FunctionInventory(Protocol):
    """Which functions there are."""

    def all_functions(self) -> Iterable[FunctionTarget]:
        """List every function of the account and region."""


class OpenFindings(Protocol):
    """Which functions have an open finding."""

    def functions_with_open_findings(self) -> Iterable[FunctionTarget]:
        """List them, each once."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """How many functions exist, and how many more are only known from their open findings: deleted ones."""

    functions: int
    deleted: int


def sweep(
    inventory: FunctionInventory,
    findings: OpenFindings,
    request_looks: Sequence[Callable[[Iterable[FunctionTarget]], int]],
) -> Sweep:
    """Request a look at every function that exists or has an open finding, of every checker.

    The requests wait in the checkers' queues, so that an account of any size is swept at the pace that AWS allows,
    and a request that fails is tried again like any event.
    """
    existing = dict.fromkeys(inventory.all_functions())
    deleted = [target for target in findings.functions_with_open_findings() if target not in existing]
    for request in request_looks:
        request([*existing, *deleted])
    return Sweep(functions=len(existing), deleted=len(deleted))
