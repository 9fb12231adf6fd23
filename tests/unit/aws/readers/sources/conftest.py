"""Stubbed clients of the services that sources belong to."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.iam import Policy
from permission_guard.model.state import SourceState, Unread
from tests.fakes import TARGET
from tests.unit.aws.conftest import Answers

if TYPE_CHECKING:
    from collections.abc import Iterator


class Answering(defaultdict[str, Answers]):
    """Clients by service name, created on first use like the real ones."""

    def __missing__(self, service: str) -> Answers:
        self[service] = Answers(service)
        return self[service]


class Sources:
    """Stubbed clients and the reader that uses them; `made` lists the clients that it created."""

    def __init__(self) -> None:
        self.answers = Answering()
        self.made: list[str] = []
        self.reader = SourceReader(self._client)

    def _client(self, service: str) -> Any:
        self.made.append(service)
        return self.answers[service].client

    def say(self, service: str, operation: str, reply: dict[str, Any], **expected: Any) -> None:
        """Answer the next call of a service."""
        self.answers[service].say(operation, reply, **expected)

    def fail(self, service: str, operation: str, code: str, status: int = 400) -> None:
        """Fail the next call of a service."""
        self.answers[service].fail(operation, code, status=status)

    def state(self, arn: str) -> SourceState:
        """Return the state of a resource, which must be readable."""
        state = self.reader.state(arn, TARGET)
        assert isinstance(state, SourceState)
        return state

    def unread_state(self, arn: str) -> Unread:
        """Return why the state of a resource cannot be read."""
        state = self.reader.state(arn, TARGET)
        assert isinstance(state, Unread)
        return state

    def policy(self, arn: str) -> Policy:
        """Return the policy of a resource, which must be readable."""
        policy = self.reader.policy(arn, TARGET)
        assert isinstance(policy, Policy)
        return policy

    def unread_policy(self, arn: str) -> Unread:
        """Return why the policy of a resource cannot be read."""
        policy = self.reader.policy(arn, TARGET)
        assert isinstance(policy, Unread)
        return policy


@pytest.fixture
def sources() -> Iterator[Sources]:
    """Return sources; every prepared answer must be used."""
    sources = Sources()
    yield sources
    for answers in sources.answers.values():
        answers.all_were_asked_for()
