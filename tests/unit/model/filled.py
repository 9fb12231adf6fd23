"""Send and write what has a size: the clients accept what AWS accepts, and keep it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3

from permission_guard.findings.fit import document_size
from permission_guard.model.verdicts import finding_id
from permission_guard.records import record
from tests import aws_limits
from tests.fakes import FUNCTION_ARN, REGION, TARGET, a_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget


@record
class Sent:
    """What was sent or written: the size of each request or part, and whether all content is in it.

    `notice` is whether it says that something is left out.
    """

    sizes: Sequence[int]
    is_complete: bool
    notice: bool = False


class Client:
    """A client that rejects what AWS rejects, and keeps and accepts every other request."""

    def __init__(self, service: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._answer = answer
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.client: Any = boto3.client(service, region_name=REGION, **keys)  # type: ignore[call-overload]
        aws_limits.enforce(self.client)
        self.client.meta.events.register("provide-client-params", self._keep)
        self.client.meta.events.register("before-call", self._accept)

    def of(self, operation: str) -> list[dict[str, Any]]:
        """Return the requests of an operation."""
        return [params for name, params in self.requests if name == operation]

    def _keep(self, params: dict[str, Any], model: Any, **_more: Any) -> None:
        self.requests.append((model.name, params))

    def _accept(self, **_more: Any) -> Any:
        return SimpleNamespace(status_code=200), self._answer(self.requests[-1][1])


def filled(build: Callable[[int], Any], size: Callable[[Any], int], limit: int) -> Any:
    """Return what `build` makes of the number of characters with which its size is the limit."""
    return build(limit - size(build(0)))


def findings(count: int, **more: Any) -> list[Finding]:
    """Return findings with different subjects."""
    subjects = [f"statement/{number}" for number in range(count)]
    return [a_finding(id=finding_id("PG201", FUNCTION_ARN, one), subject=one, **more) for one in subjects]


def of_size(size: int, **more: Any) -> Finding:
    """Return a finding whose document has a size."""
    found: Finding = filled(lambda count: a_finding(evidence={"a": "x" * count}, **more), document_size, size)
    return found


def functions(count: int) -> list[FunctionTarget]:
    """Return functions."""
    return [replace(TARGET, name=f"function-{number:03}") for number in range(count)]
