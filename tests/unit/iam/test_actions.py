"""Actions and patterns of actions."""

from __future__ import annotations

import pytest

from permission_guard.iam.actions import ActionSet, action_problem
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN


@pytest.mark.parametrize("text", ["*", "**", "*:*", "sqs:*", "SQS:ReceiveMessage", "sqs:R?ceive*"])
def test_a_pattern_matches_an_action(text: str) -> None:
    """It is not case-sensitive, and `*` and `?` in the name are wildcards."""
    assert ActionSet([text]).match("sqs:receivemessage") == TRUE


@pytest.mark.parametrize("text", ["", "sqs", "sqs:", "sqs:Receive", " sqs:*", "sqs:Receive Message", "sqs: *", "s3:*"])
def test_a_pattern_does_not_match_an_action(text: str) -> None:
    """Nor does a value with white space, or without a name or a colon."""
    assert ActionSet([text]).match("sqs:receivemessage") == FALSE


def test_a_match_by_a_wildcard_in_the_prefix_has_the_given_result() -> None:
    """AWS does not document it: it never allows, and it can deny."""
    assert ActionSet(["s*:Receive*"]).match("sqs:receivemessage") == FALSE
    assert ActionSet(["s*:Receive*"], prefix_wildcard=UNKNOWN).match("sqs:receivemessage") == UNKNOWN
    assert ActionSet(["s*:Send*"], prefix_wildcard=UNKNOWN).match("sqs:receivemessage") == FALSE


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sqs:*", ""),
        ("*", ""),
        ("*:*", ""),
        ("", "empty"),
        ("sqs", "not of the form"),
        ("sqs:", "not of the form"),
        ("sqs:A b", "white space"),
        ("s*:Get", "wildcard in its service prefix"),
    ],
)
def test_the_problem_of_an_invalid_action_is_returned(text: str, problem: str) -> None:
    """The text names what is wrong with the action."""
    found = action_problem(text)
    assert problem in found
    assert bool(found) == bool(problem)
