"""Snapshots of execution roles: what the needs hang on is read, once, and where it can turn the answer."""

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
from tests.unit.aws.readers.snapshot_account import EVERYTHING, LIVE, OLD_ROLE, Account, look

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPIC = "arn:aws:sns:us-east-1:123456789012:failed-orders"


def sources_asked(account: Account) -> list[str]:
    """Return which states and policies were read."""
    return [text for text in account.asked if text.startswith(("state of", "policy of"))]


def test_a_source_is_asked_for_its_policy_where_the_role_s_policies_do_not_settle_it() -> None:
    """A source without a policy is in the snapshot as well."""
    own = a_policy(allow("sqs:*"))
    mapped = (a_mapping(), a_mapping(uuid="second"), a_mapping(f"{QUEUE_ARN}-2", uuid="third"))
    account = Account({FUNCTION_ARN: a_function()}, mapped, {ROLE_ARN: a_role()}, policies={QUEUE_ARN: own})
    snapshot = look(account)
    assert snapshot.source_policies == {QUEUE_ARN: own, f"{QUEUE_ARN}-2": None}
    assert account.asked.count(f"policy of {QUEUE_ARN}") == 1


def test_a_key_that_turns_up_is_asked_for_its_policy() -> None:
    """Without which nobody may use it, whatever the role's policies allow."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), states={QUEUE_ARN: SourceState(KEY)})
    snapshot = look(account)
    assert sources_asked(account) == [f"state of {QUEUE_ARN}", f"policy of {KEY}"]
    assert snapshot.sources == {QUEUE_ARN: SourceState(KEY)}
    assert snapshot.source_policies == {KEY: None}


def test_all_that_a_mapping_names_is_read() -> None:
    """Its source, its destination, its secret: as the mapping names them."""
    broker = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-1"
    configuration = {
        "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "orders"}, {"Type": "VIRTUAL_HOST", "URI": "/"}],
        "DestinationConfig": {"OnFailure": {"Destination": TOPIC}},
    }
    mapping = a_mapping(broker, configuration=configuration)
    account = Account({FUNCTION_ARN: a_function()}, (mapping,), {ROLE_ARN: a_role()})
    snapshot = look(account)
    assert set(snapshot.sources) >= {"orders", TOPIC}
    some = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-??????"
    assert set(snapshot.source_policies) == {TOPIC, some}


def test_all_that_a_version_is_configured_with_is_read() -> None:
    """Its log group, its dead-letter queue; of an alias's version, with the role of that."""
    live = Function(LIVE, "orders", OLD_ROLE, {"DeadLetterConfig": {"TargetArn": TOPIC}})
    account = Account(
        {FUNCTION_ARN: a_function(), LIVE: live},
        (a_mapping(function_arn=LIVE),),
        {ROLE_ARN: a_role(EVERYTHING), OLD_ROLE: a_role(allow("sqs:*"))},
    )
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orders"
    look(account)
    assert sources_asked(account) == [
        f"state of {group}",
        f"state of {TOPIC}",
        f"state of {QUEUE_ARN}",
        f"policy of {TOPIC}",
    ]


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
def test_no_source_is_asked_for_nothing(role: Role | Unread | None, more: dict[str, str]) -> None:
    """No role, not read, without a key, of another type, off on purpose, gone."""
    roles = {ROLE_ARN: role} if role else {}
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(**more),), roles)
    snapshot = look(account)
    assert (snapshot.sources, snapshot.source_policies) == ({}, {})
    assert sources_asked(account) == []


def test_what_asks_for_more_whenever_it_is_read_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a type of event source says: a look has only so much time."""
    monkeypatch.setattr(
        "permission_guard.aws.readers.snapshots.states_to_read", lambda seen: {f"arn:{len(seen.sources)}"}
    )
    assert set(look(Account({FUNCTION_ARN: a_function()})).sources) == {"arn:0", "arn:1", "arn:2"}


def test_what_could_not_be_read_is_not_asked_for_in_every_round() -> None:
    """It stays Unread; the reader of sources knows when to try again."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), states={QUEUE_ARN: THROTTLED})
    snapshot = look(account)
    assert account.asked.count(f"state of {QUEUE_ARN}") == 1
    assert snapshot.sources == {QUEUE_ARN: THROTTLED}
    assert snapshot.unread == (THROTTLED,)


def test_a_source_s_policy_is_tried_again_unless_it_was_denied() -> None:
    """Whoever denies has to change his mind: the message would come again for ever."""
    for unread, again in ((THROTTLED, (THROTTLED,)), (DENIED, ())):
        roles: dict[str, Role | Unread] = {ROLE_ARN: a_role()}
        account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), roles, policies={QUEUE_ARN: unread})
        snapshot = look(account)
        assert snapshot.source_policies == {QUEUE_ARN: unread}
        assert snapshot.unread == again


# ── Calls that AWS refused ──────────────────────────────────────────────────────────────────────────────────────────


def refused(api: str = "CreateEventSourceMapping", arn: str = FUNCTION_ARN, **more: Any) -> DeniedCall:
    """Return a call that AWS refused."""
    values = {"role_arn": "", "message": "no", "at": "2026-11-20T09:30:00Z", "configuration": {}, **more}
    return DeniedCall(api=api, function_arn=arn, **values)


def test_what_a_refused_mapping_asked_for_is_read() -> None:
    """With the role of the version that it was for."""
    live = Function(LIVE, "orders", OLD_ROLE)
    account = Account({FUNCTION_ARN: a_function(), LIVE: live}, roles={OLD_ROLE: a_role()})
    denied_call = refused(arn=LIVE, configuration={"EventSourceArn": QUEUE_ARN})
    snapshot = look(account, denied_call)
    assert snapshot.denied_calls == (denied_call,)
    assert set(snapshot.versions) == {FUNCTION_ARN, LIVE}
    assert set(snapshot.roles) == {ROLE_ARN, OLD_ROLE}
    assert snapshot.source_policies == {QUEUE_ARN: None}


def test_what_a_refused_configuration_asked_for_is_read() -> None:
    """With the role that it named, on top of what the function has."""
    account = Account({FUNCTION_ARN: a_function()}, roles={ROLE_ARN: a_role(EVERYTHING), OLD_ROLE: a_role()})
    asked = {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}}
    snapshot = look(account, refused("UpdateFunctionConfiguration", role_arn=OLD_ROLE, configuration=asked))
    assert set(snapshot.roles) == {ROLE_ARN, OLD_ROLE}
    assert QUEUE_ARN in snapshot.source_policies


def test_the_role_of_a_function_that_could_not_be_made_is_read() -> None:
    """It is all there is: nothing is asked of the function that does not exist."""
    account = Account({}, roles={ROLE_ARN: a_role()})
    asked = {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}}
    snapshot = look(account, refused("CreateFunction", role_arn=ROLE_ARN, configuration=asked))
    assert (snapshot.function, snapshot.mappings, snapshot.versions) == (None, (), {})
    assert snapshot.roles == {ROLE_ARN: a_role()}
    assert snapshot.source_policies == {QUEUE_ARN: None}
    assert account.asked[:2] == [FUNCTION_ARN, ROLE_ARN]
    assert not {"mappings", "invoke configs"} & set(account.asked)


@pytest.mark.parametrize("arn", ["", "orders-role", "arn:aws:iam::111122223333:role/orders-role"])
def test_a_role_that_is_not_of_the_account_is_not_read(arn: str) -> None:
    """IAM would read the one of the same name; it is not said that it does not exist."""
    account = Account({}, roles={arn: a_role()})
    assert look(account, refused("CreateFunction", role_arn=arn)).roles == {}
    assert arn not in account.asked


def test_refusals_are_no_matter_of_who_may_invoke() -> None:
    """Of a function that is gone, nothing is read then."""
    account = Account({})
    assert account.reader.snapshot(TARGET, Direction.INVOKE_POLICY, denied_calls=[refused()]) == Snapshot(TARGET, None)
    assert account.asked == [FUNCTION_ARN]
