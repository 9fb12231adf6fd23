"""What receives in the end: the topic, the Slack channel and the OpsItems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.fakes import ACCOUNT, REGION
from tests.in_memory.ops_items import OpsItems
from tests.in_memory.sns import Topics
from tests.simulation.stack import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WEBHOOK: Final = "https://hooks.slack.com/services/T0000/B0000/simulated"


class Receivers:
    """What was received. `messages` are what the messages of each channel are about, in their order.

    A message is about revisions of findings (`<id>-<revision>`), or a digest.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.messages: dict[str, list[str]] = {"sns": [], "slack": []}
        self._ops_items = OpsItems()
        self._topics = Topics(clock, ACCOUNT, REGION, send=lambda _queue, _body: None)
        self._topics.subscribers[TOPIC] = [lambda _id, sent: self._note("sns", sent["MessageDeduplicationId"])]

    @property
    def ops_items(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the OpsItems by their ids."""
        return self._ops_items.items

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a call to a receiver, None for any other."""
        for name, receiver in (("sns", self._topics), ("ssm", self._ops_items)):
            if service == name and operation in receiver.operations:
                return receiver.answer(operation, params)
        if service == "slack":
            self._note("slack", params["about"])
            return {}
        return {"SecretString": WEBHOOK} if (service, operation) == ("secretsmanager", "GetSecretValue") else None

    def _note(self, channel: str, about: str) -> None:
        # The message about several findings has the keys of all of them.
        self.messages[channel] += about.split("+")
