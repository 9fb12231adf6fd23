"""What receives in the end: the topic, the Slack channel and the ticket systems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import ACCOUNT, REGION
from tests.in_memory.sns import Topics
from tests.simulation.stack import TOPIC
from tests.simulation.ticket_systems import SECRET, SECRETS, TicketSystems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.environments import Invocation

WEBHOOK: Final = "https://hooks.slack.com/services/T0000/B0000/simulated"


class Receivers:
    """What was received. `messages` are what the messages of each channel are about, in their order.

    A message is about revisions of findings (`<id>-<revision>`), or a digest. `times` are when they came, and
    `largest` is about how many things the largest of them is. `digests` are the findings of each digest of those that
    waited, by its key.
    """

    def __init__(self, clock: Callable[[], float], current: Callable[[], Invocation | None]) -> None:
        self.messages: dict[str, list[str]] = {"sns": [], "slack": []}
        self.tickets = TicketSystems(current)
        self.times: dict[str, list[float]] = {"sns": [], "slack": []}
        self.digests: dict[str, list[tuple[str, int]]] = {}
        self.largest = 1
        self._clock = clock
        self._topics = Topics(clock, ACCOUNT, REGION, send=lambda _queue, _body: None)
        self._topics.subscribers[TOPIC] = [
            lambda _id, sent: self._note("sns", sent["MessageDeduplicationId"], sent["Message"])
        ]

    @property
    def ops_items(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the OpsItems by their ids."""
        return self.tickets.ops_items.items

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a call to a receiver, None for any other."""
        if service == "sns" and operation in self._topics.operations:
            return self._topics.answer(operation, params)
        if service == "slack":
            self._note("slack", params["about"], json.dumps(params["blocks"]))
            return {}
        if (service, operation) == ("secretsmanager", "GetSecretValue"):
            return {"SecretString": _secret(params["SecretId"])}
        return self.tickets.answer(service, operation, params)

    def _note(self, channel: str, about: str, text: str) -> None:
        # The message about several findings has the keys of all of them.
        things = about.split("+")
        if about in self.digests:
            things = [f"{identifier}-{revision}" for identifier, revision in self.digests[about]]
            assert all(identifier in text for identifier, _ in self.digests[about]), f"{channel}: {about}: {text}"
        self.messages[channel] += things
        self.times[channel].append(self._clock())
        self.largest = max(self.largest, len(things))


def _secret(arn: str) -> str:
    """Return the value of a secret: the address and credentials of a ticket system, or the webhook's address."""
    of_system = SECRETS.get(arn.removeprefix(SECRET).removesuffix("-AbCdEf"))
    return WEBHOOK if of_system is None else json.dumps(of_system)
