"""Destinations: what each kind of destination requires, for each setting that can name one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.iam import LambdaCall
from permission_guard.model.state import EventInvokeConfig, Function, SourceState
from permission_guard.needs.base import NeedKind
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources.destinations import (
    dead_letter_needs,
    destinations,
    invoke_config_needs,
    on_failure_needs,
    on_success_needs,
)
from permission_guard.needs.features.dead_letter import DeadLetter, target_of
from tests.fakes import FUNCTION_ARN, ROLE_ARN, THROTTLED, a_role, allow
from tests.unit.needs.event_sources.needs_table import (
    ALARM,
    BUCKET,
    DEAD_LETTERS,
    KEY,
    NO_KEY,
    OWN_KEY,
    STREAM,
    mapping,
    on,
    to,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.needs.base import Need

BUS = "arn:aws:events:us-east-1:123456789012:event-bus/orders"
REFUNDS = "arn:aws:lambda:us-east-1:123456789012:function:refunds"

SENDING = {
    DEAD_LETTERS: on(DEAD_LETTERS, "sqs", "SendMessage"),
    f"{DEAD_LETTERS}.fifo": on(f"{DEAD_LETTERS}.fifo", "sqs", "SendMessage"),
    ALARM: on(ALARM, "sns", "Publish"),
    BUCKET: [("s3:ListBucket", BUCKET), ("s3:PutObject", f"{BUCKET}/*")],
    REFUNDS: on(REFUNDS, "lambda", "InvokeFunction"),
    f"{REFUNDS}:live": on(f"{REFUNDS}:live", "lambda", "InvokeFunction"),
    BUS: on(BUS, "events", "PutEvents"),
}
WITH_KEY = {
    DEAD_LETTERS: {"kms:Decrypt", "kms:GenerateDataKey"},
    ALARM: {"kms:Decrypt", "kms:GenerateDataKey"},
    BUCKET: {"kms:GenerateDataKey"},
    REFUNDS: set(),
    BUS: set(),
}


def pairs(needs: Iterable[Need]) -> list[tuple[str, str]]:
    """Return actions and resources."""
    return [(need.action, need.resource) for need in needs]


def config(failure: str = "", success: str = "") -> EventInvokeConfig:
    """Return a configuration of asynchronous invocations."""
    return EventInvokeConfig(FUNCTION_ARN, success, failure)


def function(**configuration: Any) -> Function:
    """Return a function as it is configured."""
    return Function(FUNCTION_ARN, "orders", ROLE_ARN, configuration)


@pytest.mark.parametrize("arn", SENDING)
def test_each_kind_of_destination_requires_its_own_actions(arn: str) -> None:
    """On the exact resource, an alias with its qualifier; a bucket, and its objects."""
    assert pairs(on_failure_needs(config(failure=arn), {arn: NO_KEY})) == SENDING[arn]
    assert pairs(on_success_needs(config(success=arn), {arn: NO_KEY})) == SENDING[arn]


@pytest.mark.parametrize("arn", WITH_KEY)
def test_the_sender_uses_a_customer_managed_key_if_aws_documents_it(arn: str) -> None:
    """EventBridge uses the key of a bus with its own permissions, and a function's record has no key."""
    needs = on_failure_needs(config(failure=arn), {arn: OWN_KEY})
    assert {need.action for need in needs if need.resource == KEY} == WITH_KEY[arn]
    via = f"{arn.split(':')[2]}.us-east-1.amazonaws.com"
    assert {need.context for need in needs if need.resource == KEY} <= {(("kms:ViaService", via),)}


@pytest.mark.parametrize("sources", [{}, {DEAD_LETTERS: THROTTLED}])
def test_an_unread_queue_can_have_a_key(sources: Any) -> None:
    """Only sending is certainly required."""
    certain, *doubtful = dead_letter_needs(DEAD_LETTERS, sources)
    assert not certain.doubt
    assert [need.action for need in doubtful] == ["kms:Decrypt", "kms:GenerateDataKey"]
    for need in doubtful:
        assert not decide(need, a_role(), FUNCTION_ARN, {}).denied


def test_success_and_failure_are_separate() -> None:
    """Each has its own finding; together they are what the configuration requires."""
    both = config(failure=DEAD_LETTERS, success=BUS)
    sources = {DEAD_LETTERS: NO_KEY}
    assert pairs(on_failure_needs(both, sources)) == SENDING[DEAD_LETTERS]
    assert pairs(on_success_needs(both, sources)) == SENDING[BUS]
    assert set(pairs(invoke_config_needs(both, sources))) == {*SENDING[BUS], *SENDING[DEAD_LETTERS]}
    assert invoke_config_needs(config()) == ()


def test_every_setting_has_its_own_purpose() -> None:
    """A mapping, a dead-letter queue, failure and success."""
    sources = {DEAD_LETTERS: NO_KEY}
    needs = [
        *destinations(mapping(STREAM, DestinationConfig=to(DEAD_LETTERS)), sources),
        *DeadLetter().needs(function(DeadLetterConfig={"TargetArn": DEAD_LETTERS}), sources),
        *on_failure_needs(config(failure=DEAD_LETTERS), sources),
        *on_success_needs(config(success=DEAD_LETTERS), sources),
    ]
    assert pairs(needs) == SENDING[DEAD_LETTERS] * 4
    assert len({need.purpose for need in needs}) == 4
    for need in needs:
        assert need.purpose.startswith("to send ")
        assert (need.kind, need.call) == (NeedKind.DESTINATION, LambdaCall.DESTINATION)


@pytest.mark.parametrize("arn", ["", "kafka://failed", "text", "arn:aws:firehose:us-east-1:123456789012:stream/orders"])
def test_an_unknown_destination_requires_nothing(arn: str) -> None:
    """The needs of a Kafka topic belong to its own type of source."""
    assert invoke_config_needs(config(failure=arn), {arn: SourceState()}) == ()
    assert dead_letter_needs(arn) == ()


@pytest.mark.parametrize(
    "about", [{}, {"DeadLetterConfig": {}}, {"DeadLetterConfig": None}, {"DeadLetterConfig": {"TargetArn": None}}]
)
def test_a_function_without_a_dead_letter_queue_requires_nothing(about: Any) -> None:
    """A template can leave it unresolved."""
    assert target_of(function(**about)) == ""
    assert DeadLetter().needs(function(**about)) == ()


def test_a_policy_for_a_function_does_not_allow_its_alias() -> None:
    """The resource of a call is the ARN with its qualifier."""
    (need,) = on_success_needs(config(success=f"{REFUNDS}:live"))
    role = a_role(allow("lambda:InvokeFunction", resource=REFUNDS))
    assert decide(need, role, FUNCTION_ARN, {need.resource: None}).denied
    role = a_role(allow("lambda:InvokeFunction", resource=f"{REFUNDS}:*"))
    assert decide(need, role, FUNCTION_ARN, {need.resource: None}).allowed
