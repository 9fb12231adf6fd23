"""What the two API Gateway services share: the function in a URI, and what an API sends as its ARN.

https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.readers.inventories.base import is_function
from permission_guard.invokers.apigateway import STAGE_VARIABLE, invoked_function
from permission_guard.model.state import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.aws.readers.inventories.base import Walk
    from permission_guard.model.state import Trigger

READ = "apigateway:GET"


@record
class Api:
    """An API that is deployed: `stages` has the stage variables of each. `description` is for sentences."""

    walk: Walk[Any]
    arn: str
    description: str
    stages: Mapping[str, Mapping[str, str]]

    def calls(
        self, what: str, uri: str, sent: tuple[str, ...], disputed: tuple[str, ...] = ()
    ) -> Iterator[Trigger | Unread]:
        """Yield what a method or a route invokes.

        `sent` is what may follow the stage, the last a pattern of all. `disputed` is what reports disagree on.
        """
        for function_arn, stages in self._functions(uri).items():
            arns, disputed_arns = (
                tuple(f"{self.arn}/{stage}/{each}" for stage in stages for each in group) for group in (sent, disputed)
            )
            yield self._trigger(f"{self.arn}/*/{sent[-1]}", function_arn, what, arns, disputed_arns)

    def authorizer(self, name: str, authorizer_id: str, uri: str) -> Iterator[Trigger | Unread]:
        """Yield what an authorizer invokes; its ARN has no stage."""
        arn = f"{self.arn}/authorizers/{authorizer_id}"
        for function_arn in self._functions(uri):
            yield self._trigger(arn, function_arn, f"the authorizer {name}", (arn,))

    def _functions(self, uri: str) -> dict[str, list[str]]:
        """Return, for each function that a URI names, the stages in which it does."""
        found: dict[str, list[str]] = {}
        for stage, variables in self.stages.items():
            function_arn = invoked_function(uri, variables)
            if is_function(function_arn) or (function_arn != uri and STAGE_VARIABLE.search(function_arn)):
                found.setdefault(function_arn, []).append(stage)
        return found

    def _trigger(
        self, source: str, function_arn: str, what: str, arns: tuple[str, ...], disputed: tuple[str, ...] = ()
    ) -> Trigger | Unread:
        if STAGE_VARIABLE.search(function_arn):
            message = f"{what} names its function by a stage variable that has no value, in {function_arn}"
            return Unread(READ, "StageVariable", message, denied=True)
        return self.walk.trigger(source, function_arn, f"{what} of {self.description}", arns, disputed)
