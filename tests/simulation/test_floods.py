"""A flood of findings reaches every channel whole, and within the channel's limit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulation.test_seeds import python


@pytest.fixture(scope="module")
def flooded() -> dict[str, Any]:
    """Return what became of 500 findings that were recorded within a minute."""
    done = python("-m", "tests.simulation.floods", "500")
    assert done.code == 0, done.errors
    result: dict[str, Any] = json.loads(done.output)
    return result


def test_no_channel_exceeds_its_limit(flooded: dict[str, Any]) -> None:
    """Twenty messages in ten minutes: nineteen alerts at once, and the last one is for a digest."""
    assert flooded["over the limit"] == []
    assert flooded["at once"] == {"sns": 19, "slack": 19}


def test_every_finding_is_in_one_message(flooded: dict[str, Any]) -> None:
    """Nothing is dropped, nothing is sent twice, and nothing ends in a dead-letter queue."""
    assert flooded["missing"] == flooded["twice"] == {"sns": 0, "slack": 0}
    assert (flooded["waiting"], flooded["dead letters"]) == (0, 0)


def test_everything_is_sent_within_a_quarter_of_an_hour_in_a_few_messages(flooded: dict[str, Any]) -> None:
    """The first run of maintenance after the window sends the digests."""
    assert flooded["minutes"] < 15
    assert all(messages < 30 for messages in flooded["messages"].values())
