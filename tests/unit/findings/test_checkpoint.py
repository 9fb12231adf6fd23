"""The checkpoint of a check: it is read as it was written, and keeps a denied call for at most one day."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from permission_guard.errors import UNREADABLE
from permission_guard.findings.checkpoint import Checkpoint, CheckRun, still_relevant
from permission_guard.findings.role_permissions import RolePermissions
from permission_guard.model import limits
from permission_guard.model.role_permissions import LostPermission, Permission, RoleChange
from permission_guard.model.state import DeniedCall
from permission_guard.model.targets import RoleTarget
from tests.fakes import FUNCTION_ARN, QUEUE_ARN, ROLE_ARN, ROLE_TARGET

NOW = "2026-11-20T09:30:00.000+00:00"
DENIED_CALL = DeniedCall(
    api="CreateEventSourceMapping",
    function_arn=FUNCTION_ARN,
    role_arn="",
    message="The function execution role does not have permissions to call ReceiveMessage on SQS.",
    at="2026-11-20T09:29:00Z",
    configuration={"EventSourceArn": QUEUE_ARN, "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "x"}]},
)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    """The order of the roles does not change the text."""
    roles = [ROLE_TARGET, RoleTarget("123456789012", "another")]
    checkpoint = Checkpoint(frozenset(roles), (DENIED_CALL,))
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint
    assert checkpoint.to_json() == replace(checkpoint, roles=frozenset(reversed(roles))).to_json()


def test_a_checkpoint_that_is_too_large_forgets_the_permissions_only() -> None:
    """Two hundred permissions, each removed by another caller with a long name, do not stop the checks."""
    permissions = [Permission(ROLE_ARN, f"sqs:{number:03}", "*") for number in range(200)]
    lost = tuple(
        LostPermission(one, NOW, NOW, RoleChange(one.action, "DetachRolePolicy", NOW, "x" * 700, policy_arn="x" * 700))
        for one in permissions
    )
    checkpoint = Checkpoint(frozenset({ROLE_TARGET}), (DENIED_CALL,), permissions=RolePermissions(lost=lost))
    assert len(checkpoint.to_json()) > limits.CHECKPOINT
    assert checkpoint.within() == replace(checkpoint, permissions=RolePermissions())
    half = replace(checkpoint, permissions=RolePermissions(lost=lost[:100]))
    assert half.within() == half


def test_a_checkpoint_with_hundreds_of_roles_forgets_what_was_recorded_of_them() -> None:
    """It would fit no item. The next full check records the findings of the roles again."""
    digests = {f"arn:aws:iam::123456789012:role/{'p' * 500}/{number}": {"PG208": "x" * 16} for number in range(600)}
    checkpoint = Checkpoint(frozenset({ROLE_TARGET}), role_digests=digests)
    assert len(checkpoint.to_json()) > limits.CHECKPOINT
    assert checkpoint.within() == Checkpoint(frozenset({ROLE_TARGET}))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"roles": [["1"]], "denied_calls": []}'])
def test_text_that_is_no_checkpoint_is_an_error(text: str) -> None:
    """Only this code writes checkpoints."""
    with pytest.raises(UNREADABLE):
        Checkpoint.from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        {"roles": [["123456789012", "orders-role"], ["123456789012", 5]]},
        {"roles": [[["123456789012"], "orders-role"]]},
        {"denied_calls": [{**asdict(DENIED_CALL), "api": None}]},
        {"role_digests": []},
        {"role_digests": {"orders": {"PG208": "1"}}},
        {"role_digests": {ROLE_ARN: {"PG208": 1}}},
        {"denied_calls": [{**asdict(DENIED_CALL), "configuration": []}]},
        {
            "denied_calls": [
                {
                    **asdict(DENIED_CALL),
                    "api": "PutFunctionEventInvokeConfig",
                    "configuration": {"DestinationConfig": {"OnFailure": ["arn"]}},
                }
            ]
        },
    ],
)
def test_a_checkpoint_with_other_types_is_dropped_and_overwritten(change: dict[str, object]) -> None:
    """A check that started from it would fail, and so would every later one."""
    text = json.dumps({**json.loads(Checkpoint().to_json()), **change})
    assert CheckRun.after(2, text, NOW) == CheckRun(2, Checkpoint(), NOW)


@pytest.mark.parametrize(
    "time", ["yesterday", "2026-11-20T09:30:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "2026-1"]
)
def test_a_time_that_no_other_can_be_compared_with_is_unknown(time: str) -> None:
    """Neither the time of the last check, nor that of a lost permission, may make every later check fail."""
    lost = RolePermissions(lost=(LostPermission(Permission("arn", "sqs:ReceiveMessage", "*"), NOW, NOW),))
    text = Checkpoint(permissions=lost).to_json()
    assert CheckRun.after(2, text, time) == CheckRun(2, Checkpoint(permissions=lost), "")
    damaged = text.replace(NOW, time)
    assert CheckRun.after(2, damaged, NOW) == CheckRun(2, Checkpoint(), NOW)


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    """A deployment may be rolled back, so an older version must read newer checkpoints."""
    document = json.loads(Checkpoint(denied_calls=(DENIED_CALL,)).to_json())
    document["denied_calls"][0]["more"] = document["more"] = 1
    assert Checkpoint.from_json(json.dumps(document)) == Checkpoint(denied_calls=(DENIED_CALL,))


def test_a_checkpoint_with_an_invalid_time_is_an_error() -> None:
    """The age of the denied call would be unknown."""
    with pytest.raises(ValueError, match="isoformat"):
        Checkpoint.from_json(Checkpoint(denied_calls=(replace(DENIED_CALL, at="yesterday"),)).to_json())


def test_a_denied_call_is_reported_for_a_day() -> None:
    """After that the caller no longer needs it."""
    at = [("2026-11-19T09:30:01+00:00", 1), ("2026-11-19T09:30:00+00:00", 0)]
    for time, expected in at:
        assert len(still_relevant([replace(DENIED_CALL, at=time)], [], NOW)) == expected


def test_repeated_tries_of_one_call_are_one_denied_call() -> None:
    """The last one is kept. A call with another event source is a different denied call."""
    repeated = replace(DENIED_CALL, at="2026-11-20T09:29:30Z", message="repeated")
    other = replace(DENIED_CALL, configuration={"EventSourceArn": f"{QUEUE_ARN}-2"})
    assert still_relevant([DENIED_CALL, other], [repeated], NOW) == (other, repeated)


def test_calls_for_two_clusters_without_an_arn_are_two_denied_calls() -> None:
    """Such clusters are identified by their servers."""
    clusters = [{"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [f"{name}.example.com:9092"]}} for name in "ab"]
    tried = [replace(DENIED_CALL, configuration={"SelfManagedEventSource": cluster}) for cluster in clusters]
    assert still_relevant(tried, [tried[0]], NOW) == (tried[1], tried[0])


def test_calls_for_network_interfaces_and_for_a_dead_letter_queue_are_two_denied_calls() -> None:
    """Each has its own finding, which the other does not resolve."""
    calls = ("CreateNetworkInterface on EC2", "SendMessage on SQS")
    tried = [
        replace(
            DENIED_CALL,
            api="UpdateFunctionConfiguration",
            configuration={},
            message=f"The provided execution role does not have permissions to call {call}",
        )
        for call in calls
    ]
    assert still_relevant(tried[:1], tried[1:], NOW) == tuple(tried)


@pytest.mark.parametrize("at", ["2027-01-01T00:00:00Z", "yesterday", ""])
def test_an_invalid_or_future_time_is_replaced_by_the_current_time(at: str) -> None:
    """Times come from events. A denied call of the year 9999 would be reported forever."""
    assert still_relevant([], [replace(DENIED_CALL, at=at)], NOW) == (replace(DENIED_CALL, at=NOW),)


def test_only_the_last_ten_denied_calls_are_kept() -> None:
    """A hundred tries must not cause a hundred findings."""
    tried = [replace(DENIED_CALL, configuration={"EventSourceArn": f"{QUEUE_ARN}-{number}"}) for number in range(100)]
    assert still_relevant([], tried, NOW) == tuple(tried[-10:])
