"""Snapshots of execution roles: sources and their policies are read once, and only if they can change the result."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.model.state import DeniedCall, Function, Role, Snapshot, SourceState, Unread
from permission_guard.model.targets import Direction
from tests.fakes import (
    DENIED,
    FUNCTION_ARN,
    QUEUE_ARN,
    ROLE_ARN,
    TARGET,
    THROTTLED,
    a_function,
    a_mapping,
    a_policy,
    a_role,
    allow,
)
from tests.unit.aws.readers.snapshot_account import EVERYTHING, LIVE, OLD_ROLE, Account, snapshot_of

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPIC = "arn:aws:sns:us-east-1:123456789012:failed-orders"


def sources_asked(account: Account) -> list[str]:
    """Return which states and policies were read."""
    return [text for text in account.asked if text.startswith(("state of", "policy of"))]


def test_a_source_s_policy_is_read_if_the_role_s_policies_are_not_enough() -> None:
    """A source without a policy is recorded in the snapshot too."""
    own = a_policy(allow("sqs:*"))
    mapped = (a_mapping(), a_mapping(uuid="second"), a_mapping(f"{QUEUE_ARN}-2", uuid="third"))
    account = Account({FUNCTION_ARN: a_function()}, mapped, {ROLE_ARN: a_role()}, policies={QUEUE_ARN: own})
    snapshot = snapshot_of(account)
    assert snapshot.source_policies == {QUEUE_ARN: own, f"{QUEUE_ARN}-2": None}
    assert account.asked.count(f"policy of {QUEUE_ARN}") == 1


def test_the_policy_of_a_source_s_key_is_read() -> None:
    """The role's policies alone cannot allow the use of a key: the key policy has to."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), states={QUEUE_ARN: SourceState(KEY)})
    snapshot = snapshot_of(account)
    assert sources_asked(account) == [f"state of {QUEUE_ARN}", f"policy of {KEY}"]
    assert snapshot.sources == {QUEUE_ARN: SourceState(KEY)}
    assert snapshot.source_policies == {KEY: None}


def test_all_that_a_mapping_names_is_read() -> None:
    """The snapshot names the source, destination and secret as the mapping does."""
    broker = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-1"
    configuration = {
        "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "orders"}, {"Type": "VIRTUAL_HOST", "URI": "/"}],
        "DestinationConfig": {"OnFailure": {"Destination": TOPIC}},
    }
    mapping = a_mapping(broker, configuration=configuration)
    account = Account({FUNCTION_ARN: a_function()}, (mapping,), {ROLE_ARN: a_role()})
    snapshot = snapshot_of(account)
    assert set(snapshot.sources) >= {"orders", TOPIC}
    some = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-??????"
    assert set(snapshot.source_policies) == {TOPIC, some}


def test_all_that_a_version_is_configured_with_is_read() -> None:
    """Its log group and dead-letter queue are read, and the role of an alias's version."""
    live = Function(LIVE, "orders", OLD_ROLE, {"DeadLetterConfig": {"TargetArn": TOPIC}})
    account = Account(
        {FUNCTION_ARN: a_function(), LIVE: live},
        (a_mapping(function_arn=LIVE),),
        {ROLE_ARN: a_role(EVERYTHING), OLD_ROLE: a_role(allow("sqs:*"))},
    )
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orders"
    snapshot_of(account)
    assert sources_asked(account) == [
        f"state of {group}",
        f"state of {TOPIC}",
        f"state of {QUEUE_ARN}",
        f"policy of {TOPIC}",
    ]


def test_the_tags_of_a_source_are_read_if_a_policy_depends_on_them() -> None:
    """A resource that AWS does not list is not in the snapshot: its tags are unknown."""
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "orders"}}
    mapped = (a_mapping(), a_mapping(f"{QUEUE_ARN}-2", uuid="second"))
    role = a_role(allow("sqs:*", Condition=by_tag))
    account = Account({FUNCTION_ARN: a_function()}, mapped, {ROLE_ARN: role}, tags_of={QUEUE_ARN: {"team": "orders"}})
    snapshot = snapshot_of(account)
    assert snapshot.resource_tags == {QUEUE_ARN: {"team": "orders"}}
    assert [text for text in account.asked if text.startswith("tags of")] == [
        f"tags of {QUEUE_ARN}",
        f"tags of {QUEUE_ARN}-2",
    ]


def test_no_tags_are_read_if_no_policy_depends_on_them() -> None:
    """The call counts against a quota of the account."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), {ROLE_ARN: a_role(allow("sqs:*"))})
    assert snapshot_of(account).resource_tags == {}
    assert not [text for text in account.asked if text.startswith("tags of")]


@pytest.mark.parametrize(
    ("role", "more"),
    [
        (None, {}),
        (THROTTLED, {}),
        (a_role(allow("*", resource="*"), allow("*")), {"source": "arn:aws:mq:us-east-1:123456789012:broker:c:1"}),
        (a_role(allow("logs:*")), {"source": "arn:aws:unheard-of:us-east-1:123456789012:thing"}),
        (a_role(allow("logs:*")), {"state": "Disabled"}),
        (a_role(allow("logs:*")), {"function_arn": LIVE}),
    ],
)
def test_no_source_is_read_if_it_cannot_change_the_result(role: Role | Unread | None, more: dict[str, str]) -> None:
    """Role missing or unread, source without a key, unsupported type, mapping disabled by a user, version deleted."""
    roles = {ROLE_ARN: role} if role else {}
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(**more),), roles)
    snapshot = snapshot_of(account)
    assert (snapshot.sources, snapshot.source_policies) == ({}, {})
    assert sources_asked(account) == []


def test_the_number_of_rounds_of_reads_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check has to end even if each round of reads asks for another one."""
    monkeypatch.setattr("permission_guard.needs.of_snapshot.states_to_read", lambda seen: {f"arn:{len(seen.sources)}"})
    assert set(snapshot_of(Account({FUNCTION_ARN: a_function()})).sources) == {"arn:0", "arn:1", "arn:2"}


def test_a_failed_read_is_not_repeated_in_every_round() -> None:
    """The reader of sources decides when to try again."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), states={QUEUE_ARN: THROTTLED})
    snapshot = snapshot_of(account)
    assert account.asked.count(f"state of {QUEUE_ARN}") == 1
    assert snapshot.sources == {QUEUE_ARN: THROTTLED}
    assert snapshot.unread == (THROTTLED,)


def test_a_failed_read_of_a_source_s_policy_is_retried_unless_it_was_denied() -> None:
    """A denied read fails until somebody changes a policy: the message would be retried until then."""
    for unread, retried in ((THROTTLED, (THROTTLED,)), (DENIED, ())):
        roles: dict[str, Role | Unread] = {ROLE_ARN: a_role()}
        account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), roles, policies={QUEUE_ARN: unread})
        snapshot = snapshot_of(account)
        assert snapshot.source_policies == {QUEUE_ARN: unread}
        assert snapshot.unread == retried


# ── Denied calls ─────────────────────────────────────────────────────────────────────────────────────────────────


def a_denied_call(api: str = "CreateEventSourceMapping", arn: str = FUNCTION_ARN, **more: Any) -> DeniedCall:
    """Return a call that AWS denied."""
    values = {"role_arn": "", "message": "no", "at": "2026-11-20T09:30:00Z", "configuration": {}, **more}
    return DeniedCall(api=api, function_arn=arn, **values)


def test_the_source_of_a_denied_mapping_is_read() -> None:
    """The role is that of the version that the mapping was for."""
    live = Function(LIVE, "orders", OLD_ROLE)
    account = Account({FUNCTION_ARN: a_function(), LIVE: live}, roles={OLD_ROLE: a_role()})
    denied_call = a_denied_call(arn=LIVE, configuration={"EventSourceArn": QUEUE_ARN})
    snapshot = snapshot_of(account, denied_call)
    assert snapshot.denied_calls == (denied_call,)
    assert set(snapshot.versions) == {FUNCTION_ARN, LIVE}
    assert set(snapshot.roles) == {ROLE_ARN, OLD_ROLE}
    assert snapshot.source_policies == {QUEUE_ARN: None}


def test_the_resources_of_a_denied_configuration_are_read() -> None:
    """The role that it named is read in addition to the function's."""
    account = Account({FUNCTION_ARN: a_function()}, roles={ROLE_ARN: a_role(EVERYTHING), OLD_ROLE: a_role()})
    asked = {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}}
    snapshot = snapshot_of(
        account, a_denied_call("UpdateFunctionConfiguration", role_arn=OLD_ROLE, configuration=asked)
    )
    assert set(snapshot.roles) == {ROLE_ARN, OLD_ROLE}
    assert QUEUE_ARN in snapshot.source_policies


def test_the_role_of_a_function_whose_creation_was_denied_is_read() -> None:
    """The function does not exist, so its mappings are not read."""
    account = Account({}, roles={ROLE_ARN: a_role()})
    asked = {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}}
    snapshot = snapshot_of(account, a_denied_call("CreateFunction", role_arn=ROLE_ARN, configuration=asked))
    assert (snapshot.function, snapshot.mappings, snapshot.versions) == (None, (), {})
    assert snapshot.roles == {ROLE_ARN: a_role()}
    assert snapshot.source_policies == {QUEUE_ARN: None}
    assert account.asked[:3] == ["invoke configs", FUNCTION_ARN, ROLE_ARN]
    assert "mappings" not in account.asked


@pytest.mark.parametrize("arn", ["", "orders-role", "arn:aws:iam::111122223333:role/orders-role"])
def test_a_role_of_another_account_is_not_read(arn: str) -> None:
    """IAM would return the account's own role of that name. The snapshot must not say that the role is missing."""
    account = Account({}, roles={arn: a_role()})
    assert snapshot_of(account, a_denied_call("CreateFunction", role_arn=arn)).roles == {}
    assert arn not in account.asked


def test_denied_calls_are_ignored_by_the_invoke_policy_scope() -> None:
    """Nothing else is read for a deleted function in this scope."""
    account = Account({})
    assert account.reader.snapshot(TARGET, Direction.INVOKE_POLICY, denied_calls=[a_denied_call()]) == Snapshot(
        TARGET, None
    )
    assert account.asked == ["resource policies", "function URLs", FUNCTION_ARN]
