"""Each limit of `model/limits.py` is filled to the brim and one further, through the code that sends or writes."""

from __future__ import annotations

import pytest

from permission_guard.model import limits
from tests.unit.model.divided import DIVIDED
from tests.unit.model.shortened import NOT_REACHED, SHORTENED

WITH_A_RESERVE = {"TRANSACTION": limits.TABLE_ITEM + 200_000, "TOPIC_MESSAGE": 13_000, "JIRA_TEXT_CHARACTERS": 400}
"""How much of a limit stays unused: the size of a check and of keys is estimated, as are attributes and nodes."""


def test_every_limit_is_tested() -> None:
    """A new limit needs a line in a table above."""
    names = {name for name, value in vars(limits).items() if isinstance(value, int)}
    assert names == DIVIDED.keys() | SHORTENED.keys() | NOT_REACHED.keys()


@pytest.mark.parametrize("name", [*DIVIDED, *SHORTENED])
def test_what_has_the_size_of_the_limit_is_sent_whole(name: str) -> None:
    """In one request, and without a notice."""
    limit, sent = getattr(limits, name), {**DIVIDED, **SHORTENED}[name](0)
    (size,) = sent.sizes
    assert limit - WITH_A_RESERVE.get(name, 0) <= size <= limit
    assert (sent.is_complete, sent.notice) == (True, False)


@pytest.mark.parametrize("name", DIVIDED)
def test_one_more_takes_another_request(name: str) -> None:
    """Both are within the limit, and nothing is lost."""
    sent = DIVIDED[name](1)
    assert len(sent.sizes) == 2
    assert max(sent.sizes) <= getattr(limits, name)
    assert sent.is_complete


@pytest.mark.parametrize("name", SHORTENED)
def test_one_more_is_shortened(name: str) -> None:
    """It is within the limit and says that something is missing; everything else is there."""
    sent = SHORTENED[name](1)
    (size,) = sent.sizes
    assert size <= getattr(limits, name)
    assert (sent.is_complete, sent.notice) == (True, True)


@pytest.mark.parametrize("name", NOT_REACHED)
def test_what_is_as_large_as_possible_is_below_the_limit(name: str) -> None:
    """It is written whole."""
    sent = NOT_REACHED[name](0)
    assert max(sent.sizes) <= getattr(limits, name)
    assert sent.is_complete
