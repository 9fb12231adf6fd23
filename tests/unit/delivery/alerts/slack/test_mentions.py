"""Who is mentioned in Slack: only whom the configuration names, and only when a problem starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.alerts.slack.mentions import is_start, mention
from permission_guard.delivery.alerts.slack.message import blocks
from permission_guard.delivery.finding_messages import compose
from permission_guard.model.findings import Transition
from tests.unit.delivery.examples import EXAMPLES, OPENED

if TYPE_CHECKING:
    from permission_guard.delivery.message import Message


def owned(case: str = "opened", owner: str = "payments") -> Message:
    """Return the message about a case whose function has an owner."""
    return replace(compose(EXAMPLES[case]), owner=owner)


@pytest.mark.parametrize(
    ("member", "element"),
    [
        ("U0123ABCD", {"type": "user", "user_id": "U0123ABCD"}),
        ("W0123ABCD", {"type": "user", "user_id": "W0123ABCD"}),
        ("S0123ABCD", {"type": "usergroup", "usergroup_id": "S0123ABCD"}),
        ("C0123ABCD", None),
        ("u0123abcd", None),
        ("U0123ABCD\n", None),
        ("<!channel>", None),
        ("@here", None),
        ("", None),
    ],
)
def test_a_user_or_a_group_is_mentioned_by_its_id(member: str, element: object) -> None:
    """Nothing else is: not a channel, and no text."""
    assert mention(owned(), {"payments": member}) == element


@pytest.mark.parametrize("case", EXAMPLES)
def test_only_a_start_mentions_somebody(case: str) -> None:
    """What follows is in the thread, and nobody has to hurry because of what is over."""
    is_first = EXAMPLES[case].transition in (Transition.OPENED, Transition.REOPENED)
    assert is_start(owned(case)) is is_first
    assert bool(mention(owned(case), {"payments": "U0123ABCD"})) is is_first


def test_a_start_that_needs_no_attention_mentions_nobody() -> None:
    """The severity says whether it does."""
    assert mention(replace(owned(), severity=None), {"payments": "U0123ABCD"}) is None


def test_an_owner_without_an_entry_mentions_nobody() -> None:
    """Neither does a function without an owner, whatever the configuration has."""
    assert mention(owned(owner="other"), {"payments": "U0123ABCD"}) is None
    assert mention(owned(owner=""), {"": "U0123ABCD"}) is None


def test_the_mention_is_before_what_happened_and_takes_no_block() -> None:
    """A message can be as long as before."""
    element = {"type": "user", "user_id": "U0123ABCD"}
    with_mention = blocks(compose(OPENED), element)
    assert with_mention[1]["elements"][0]["elements"][0] == element
    assert len(with_mention) == len(blocks(compose(OPENED)))
