"""What every service in memory is: operations, by the names that AWS gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Operations = Mapping[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]]


class Service:
    """A service. An operation that is not among its `operations` is a mistake of the test."""

    operations: ClassVar[Operations]

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call. RejectedError for an error."""
        return self.operations[operation](self, params)
