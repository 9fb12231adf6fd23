"""What a look leaves for the next one: as it was written, and no refusal for longer than a day."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from permission_guard.findings.checkpoint import Checkpoint, still_relevant
from permission_guard.model.state import DeniedCall
from permission_guard.model.targets import RoleTarget
from tests.fakes import FUNCTION_ARN, QUEUE_ARN, ROLE_TARGET

NOW = "2026-11-20T09:30:00.000+00:00"
DENIED_CALL = DeniedCall(
    api="CreateEventSourceMapping",
    function_arn=FUNCTION_ARN,
    role_arn="",
    message="The function execution role does not have permissions to call ReceiveMessage on SQS.",
    at="2026-11-20T09:29:00Z",
    configuration={"EventSourceArn": QUEUE_ARN, "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "x"}]},
)


def test_notes_are_read_as_they_were_written() -> None:
    """The same notes are the same text, in whatever order their roles came."""
    roles = [ROLE_TARGET, RoleTarget("123456789012", "another")]
    checkpoint = Checkpoint(frozenset(roles), (DENIED_CALL,), has_findings=False)
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint
    assert checkpoint.to_json() == replace(checkpoint, roles=frozenset(reversed(roles))).to_json()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"roles": [["1"]], "denied_calls": [], "has_findings": true}'])
def test_what_are_no_notes_is_an_error(text: str) -> None:
    """Nobody else writes them."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Checkpoint.from_json(text)


def test_what_a_newer_version_remembers_besides_is_passed_over() -> None:
    """An older one still reads the rest: a deployment may be taken back."""
    document = json.loads(Checkpoint(denied_calls=(DENIED_CALL,)).to_json())
    document["denied_calls"][0]["more"] = document["more"] = 1
    assert Checkpoint.from_json(json.dumps(document)) == Checkpoint(denied_calls=(DENIED_CALL,))


def test_notes_with_a_time_that_is_none_are_no_notes() -> None:
    """No look could tell how old that is."""
    with pytest.raises(ValueError, match="isoformat"):
        Checkpoint.from_json(Checkpoint(denied_calls=(replace(DENIED_CALL, at="lately"),)).to_json())


def test_a_refusal_is_told_for_a_day() -> None:
    """Then nobody waits for it any more."""
    at = [("2026-11-19T09:30:01+00:00", 1), ("2026-11-19T09:30:00+00:00", 0)]
    for time, expected in at:
        assert len(still_relevant([replace(DENIED_CALL, at=time)], [], NOW)) == expected


def test_the_same_call_that_is_tried_again_is_one_refusal() -> None:
    """The last one says it; that of another source is one of its own."""
    again = replace(DENIED_CALL, at="2026-11-20T09:29:30Z", message="again")
    other = replace(DENIED_CALL, configuration={"EventSourceArn": f"{QUEUE_ARN}-2"})
    assert still_relevant([DENIED_CALL, other], [again], NOW) == (other, again)


def test_two_clusters_that_have_no_arn_are_two_refusals() -> None:
    """They are known by their servers."""
    clusters = [{"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [f"{name}.example.com:9092"]}} for name in "ab"]
    tried = [replace(DENIED_CALL, configuration={"SelfManagedEventSource": cluster}) for cluster in clusters]
    assert still_relevant(tried, [tried[0]], NOW) == (tried[1], tried[0])


def test_a_function_s_network_and_its_dead_letter_queue_are_two_refusals() -> None:
    """Each has a finding of its own, which the other does not close."""
    said = ("CreateNetworkInterface on EC2", "SendMessage on SQS")
    tried = [
        replace(
            DENIED_CALL,
            api="UpdateFunctionConfiguration",
            configuration={},
            message=f"The provided execution role does not have permissions to call {what}",
        )
        for what in said
    ]
    assert still_relevant(tried[:1], tried[1:], NOW) == tuple(tried)


@pytest.mark.parametrize("at", ["2027-01-01T00:00:00Z", "yesterday", ""])
def test_a_time_that_cannot_be_is_now(at: str) -> None:
    """It comes from an event: a refusal of the year 9999 would be told for ever."""
    assert still_relevant([], [replace(DENIED_CALL, at=at)], NOW) == (replace(DENIED_CALL, at=NOW),)


def test_only_the_last_ten_are_told() -> None:
    """Whoever tries a hundred queues gets no hundred findings."""
    tried = [replace(DENIED_CALL, configuration={"EventSourceArn": f"{QUEUE_ARN}-{number}"}) for number in range(100)]
    assert still_relevant([], tried, NOW) == tuple(tried[-10:])
