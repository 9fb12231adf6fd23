"""Injected faults: the next calls of an operation get an error and do not reach MiniStack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.server.reply import Response, json_error, xml_error

if TYPE_CHECKING:
    from sandbox.server.api import Call


@dataclass(frozen=True, slots=True)
class Fault:
    """An error for the next `count` calls of one operation."""

    service: str
    operation: str
    code: str = "TooManyRequestsException"
    message: str = "Rate exceeded"
    status: int = 429
    count: int = 1


class Faults:
    """The remaining faults."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, document: dict[str, Any]) -> Fault:
        """Add a fault from its JSON form."""
        fault = Fault(**document)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove every fault."""
        self._faults.clear()

    def take(self, call: Call, request_id: str) -> Response | None:
        """Return the error for a call and count it, None if the call has no fault."""
        for index, fault in enumerate(self._faults):
            if (fault.service, fault.operation) == (call.service, call.operation) and fault.count > 0:
                self._faults[index] = replace(fault, count=fault.count - 1)
                if call.service == "iam":
                    return xml_error(fault.code, fault.message, fault.status, request_id)
                return json_error(fault.code, fault.message, fault.status)
        return None
