"""Actions and the patterns for them."""

from __future__ import annotations

import pytest

from permission_guard.iam.actions import ActionSet, action_problem
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN


@pytest.mark.parametrize("text", ["*", "**", "*:*", "sqs:*", "SQS:ReceiveMessage", "sqs:R?ceive*"])
def test_a_pattern_takes_in_an_action(text: str) -> None:
    """Without regard to case, stars and question marks in the name."""
    assert ActionSet([text]).match("sqs:receivemessage") == TRUE


@pytest.mark.parametrize("text", ["", "sqs", "sqs:", "sqs:Receive", " sqs:*", "sqs:Receive Message", "sqs: *", "s3:*"])
def test_a_pattern_leaves_an_action_out(text: str) -> None:
    """Also whatever has white space, no name or no colon."""
    assert ActionSet([text]).match("sqs:receivemessage") == FALSE


def test_a_wildcard_in_the_prefix_is_answered_as_told() -> None:
    """AWS documents no such thing: it never allows, and may deny."""
    assert ActionSet(["s*:Receive*"]).match("sqs:receivemessage") == FALSE
    assert ActionSet(["s*:Receive*"], doubtful=UNKNOWN).match("sqs:receivemessage") == UNKNOWN
    assert ActionSet(["s*:Send*"], doubtful=UNKNOWN).match("sqs:receivemessage") == FALSE


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
def test_what_aws_would_refuse_is_said(text: str, problem: str) -> None:
    """The reason names the action's fault."""
    found = action_problem(text)
    assert problem in found
    assert bool(found) == bool(problem)
