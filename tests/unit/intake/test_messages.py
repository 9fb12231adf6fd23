"""A batch of queue messages becomes targets, each once, and no message is lost on the way."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.intake.check_requests import check_request_body
from permission_guard.intake.messages import QueueMessage, merge, read_batch
from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget
from tests.paths import EVENTS

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = FunctionTarget("aws", "us-east-1", "123456789012", "orders")
INVOICES = FunctionTarget("aws", "us-east-1", "123456789012", "invoices")
ROLE = RoleTarget("123456789012", "orders-role")


def load(path: str) -> Any:
    """Load a sample event."""
    return json.loads((EVENTS / path).read_text())


def batch(*bodies: Any) -> dict[str, Any]:
    """Wrap bodies in an SQS event whose messages are called `m0`, `m1` and so on."""
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body if isinstance(body, str) else json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


def read_one(body: Any, direction: Direction = Direction.EXECUTION_ROLE) -> QueueMessage:
    """Read a batch of one message."""
    (message,) = read_batch(batch(body), direction)
    return message


# ── The samples ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sample_batch_of_resource_policies_is_one_look() -> None:
    """Eight changes of one function, and one that is of no concern."""
    messages = read_batch(load("sqs/check_invoke_policy.json"), Direction.INVOKE_POLICY)
    assert [message.error for message in messages] == [None] * 9
    *changes, ignored = messages
    assert merge(messages) == {ORDERS: tuple(changes)}
    assert ignored.targets == ()
    assert ignored.reason


def test_the_sample_batch_of_execution_roles_is_two_looks() -> None:
    """Three changes of the function, three of its role, and one call that failed."""
    messages = read_batch(load("sqs/check_execution_role.json"), Direction.EXECUTION_ROLE)
    assert [message.error for message in messages] == [None] * 7
    assert {target: len(asked) for target, asked in merge(messages).items()} == {ORDERS: 3, ROLE: 3}
    assert messages[-1].reason == "the call did not succeed: InvalidParameterValueException"


def test_the_sample_look_request_names_its_functions() -> None:
    """What the sweep sends."""
    (message,) = read_batch(load("sqs/check_requested.json"), Direction.INVOKE_POLICY)
    assert message.targets == (ORDERS, INVOICES)
    assert message.event_id == f"check-request/{message.message_id}"


def test_the_sample_batch_with_malformed_messages_keeps_the_good_one() -> None:
    """Each of the others says what is wrong with it."""
    good, *bad = read_batch(load("sqs/with_malformed_messages.json"), Direction.EXECUTION_ROLE)
    assert good.targets == (ROLE,)
    assert [str(message.error) for message in bad] == [
        "the message is not JSON",
        "the event has no `detail` object, so it is not a CloudTrail record",
        "AttachRolePolicy has no valid `roleName`",
        "lambda.amazonaws.com 'AddPermissionBoundary20290101' is in no table",
        "not a Lambda function ARN: 'orders'",
    ]
    assert all(message.targets == () for message in bad)


@pytest.mark.parametrize("path", sorted((EVENTS / "sqs").glob("*.json")), ids=lambda path: str(path.stem))
def test_the_sample_batches_are_what_sqs_would_deliver(path: Path) -> None:
    """The digest fits the body, ids are unique, and events are those of the rest of the corpus."""
    records = json.loads(path.read_text())["Records"]
    assert len({record["messageId"] for record in records}) == len(records)
    corpus = [json.loads(sample.read_text()) for sample in EVENTS.rglob("*.json") if sample.parent.name != "sqs"]
    for record in records:
        body = record["body"]
        assert record["md5OfBody"] == hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        if body.startswith("{") and json.loads(body).get("detail-type") != "Check Requested":
            assert json.loads(body) in corpus


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_carries_its_own_id_and_that_of_its_record() -> None:
    """The first for the queue, the second for the log and the finding."""
    sample = load("cloudtrail/attach_role_policy.json")
    assert read_one(sample) == QueueMessage("m0", sample["detail"]["eventID"], (ROLE,))


def test_a_message_carries_the_call_that_aws_refused() -> None:
    """It can be merged like every other message, and the other checker has nothing to do with it."""
    sample = load("cloudtrail/create_event_source_mapping_denied_queue.json")
    message = read_one(sample)
    assert message.denied_call is not None
    assert message.denied_call.message == sample["detail"]["errorMessage"]
    assert merge([message, message]) == {ORDERS: (message, message)}
    assert list(dict.fromkeys((message, message))) == [message]
    assert read_one(load("cloudtrail/create_event_source_mapping.json")).denied_call is None
    assert read_one(load("cloudtrail/create_function_denied_role.json"), Direction.INVOKE_POLICY).denied_call is None


@pytest.mark.parametrize("body", ["", "{", "orders", "\x00", '{"detail": }', "[" * 100_000, '{"a":' * 100_000])
def test_a_body_that_is_not_json_is_an_error_of_that_message(body: str) -> None:
    """Nor is one that is nested without end; neither takes the batch along."""
    broken, good = read_batch(batch(body, load("cloudtrail/attach_role_policy.json")), Direction.EXECUTION_ROLE)
    assert isinstance(broken.error, MalformedEventError)
    assert (broken.message_id, broken.event_id, str(broken.error)) == ("m0", "unknown", "the message is not JSON")
    assert good.targets == (ROLE,)


@pytest.mark.parametrize("body", ["null", "7", '"text"', "[]", "[[]]", "{}", '{"source": "permission-guard-2"}', "NaN"])
def test_json_that_is_no_event_is_an_error_of_that_message(body: str) -> None:
    """Any JSON may lie in a queue."""
    message = read_one(body)
    assert str(message.error) == "the event has no `detail` object, so it is not a CloudTrail record"


def test_an_unknown_api_is_an_error_of_that_message_with_its_id() -> None:
    """It fails, and comes to the dead-letter queue, where a person finds it."""
    sample = load("cloudtrail/unknown_api.json")
    message = read_one(sample, Direction.INVOKE_POLICY)
    assert isinstance(message.error, UnknownEventError)
    assert message.event_id == sample["detail"]["eventID"]


@pytest.mark.parametrize("path", sorted((EVENTS / "malformed").glob("*.json")), ids=lambda path: str(path.stem))
def test_a_malformed_event_is_an_error_and_nothing_raises(path: Path) -> None:
    """For the scope that would have looked."""
    direction = Direction.EXECUTION_ROLE if path.stem.startswith(("role", "policy")) else Direction.INVOKE_POLICY
    message = read_one(json.loads(path.read_text()), direction)
    assert isinstance(message.error, MalformedEventError)
    assert message.targets == ()


def test_what_needs_no_look_says_why_and_is_no_error() -> None:
    """The message is acknowledged, the log tells the reason."""
    message = read_one(load("cloudtrail/put_resource_policy_of_a_secret.json"))
    assert (message.error, message.targets) == (None, ())
    assert message.reason == "secretsmanager.amazonaws.com is not watched"


def test_an_empty_batch_is_no_messages() -> None:
    """Nothing to do is nothing wrong."""
    assert read_batch({"Records": []}, Direction.INVOKE_POLICY) == ()


# ── Looks that are asked for ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direction", Direction)
def test_a_look_request_is_read_as_it_was_written(direction: Direction) -> None:
    """Both checkers take the same request."""
    message = read_one(check_request_body([ORDERS, INVOICES]), direction)
    assert message == QueueMessage("m0", "check-request/m0", (ORDERS, INVOICES), after_grace_period=True, full=True)


def test_a_look_request_says_since_when_what_is_shared_counts() -> None:
    """In seconds since 1970; a request that does not say takes whatever is remembered."""
    assert read_one(check_request_body([ORDERS], "2026-11-20T09:30:00.000+00:00")).requested_at == 1795167000.0
    assert read_one(check_request_body([ORDERS])).requested_at == 0.0


def test_a_look_request_says_which_events_it_goes_back_to_and_who_made_the_change() -> None:
    """A few of them; one that goes back to none is known by itself."""
    asked = read_one(check_request_body([ORDERS], causes=[f"e{number}" for number in range(9)], tool="terraform"))
    assert (asked.event_ids, asked.tool) == (("e0", "e1", "e2", "e3", "e4"), "terraform")
    assert read_one(check_request_body([ORDERS])).event_ids == ("check-request/m0",)


@pytest.mark.parametrize("why", [{"causes": "e1"}, {"causes": [7]}, {"tool": None}, {"tool": ["terraform"]}])
def test_a_look_request_that_gives_no_words_for_why_is_malformed(why: Any) -> None:
    """What goes into a finding is text."""
    message = read_one({"source": "permission-guard", "detail": {"functions": [ORDERS.arn], **why}})
    assert str(message.error) == "a check request has `causes` or a `tool` that are not strings"


@pytest.mark.parametrize("since", ["yesterday", 7, ["2026"], "", "0001-01-01T00:00:00"])
def test_a_look_request_with_a_time_that_is_none_is_malformed(since: Any) -> None:
    """It says so, and nothing of it is dropped in silence."""
    message = read_one({"source": "permission-guard", "detail": {"functions": [ORDERS.arn], "requested_at": since}})
    assert isinstance(message.error, MalformedEventError)
    assert message.targets == ()


def test_a_look_request_for_nothing_asks_for_nothing() -> None:
    """An account without functions is swept in no time."""
    message = read_one(check_request_body([]))
    assert (message.targets, message.error) == ((), None)


def test_a_look_request_drops_qualifiers() -> None:
    """A look is always at the whole function."""
    request = json.loads(check_request_body([ORDERS]))
    request["detail"]["functions"] = [f"{ORDERS.arn}:live", f"{ORDERS.arn}:7"]
    assert merge([read_one(request)]).keys() == {ORDERS}


@pytest.mark.parametrize(
    "detail",
    [
        None,
        {},
        [],
        "text",
        {"functions": None},
        {"functions": ORDERS.arn},
        {"functions": {"arn": ORDERS.arn}},
        {"functions": [7]},
        {"functions": [ORDERS.arn, None]},
    ],
)
def test_a_look_request_without_a_list_of_arns_is_malformed(detail: Any) -> None:
    """It says so."""
    message = read_one({"source": "permission-guard", "detail-type": "Check Requested", "detail": detail})
    assert str(message.error) == "a check request has no list of function ARNs in `functions`"
    assert message.targets == ()


@pytest.mark.parametrize("name", ["orders", "123456789012:function:orders", "arn:aws:s3:::orders", "", "x" * 10_000])
def test_a_look_request_takes_full_arns_only(name: str) -> None:
    """One that is not fails the whole request, briefly: nothing of it is dropped in silence."""
    request = {"source": "permission-guard", "detail": {"functions": [ORDERS.arn, name]}}
    message = read_one(request)
    assert isinstance(message.error, MalformedEventError)
    assert len(str(message.error)) < 300
    assert message.targets == ()


# ── Merging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_changes_of_one_role_are_one_look() -> None:
    """With all ten messages, which fail or pass together."""
    messages = read_batch(batch(*[load("cloudtrail/put_role_policy.json")] * 10), Direction.EXECUTION_ROLE)
    assert merge(messages) == {ROLE: messages}


def test_a_message_that_asks_for_two_functions_is_among_the_askers_of_both() -> None:
    """In the order in which they came."""
    first = QueueMessage("m0", "e0", (ORDERS,))
    both = QueueMessage("m1", "e1", (INVOICES, ORDERS))
    assert merge([first, both]) == {ORDERS: (first, both), INVOICES: (both,)}
    assert list(merge([first, both])) == [ORDERS, INVOICES]


def test_messages_without_targets_ask_for_nothing() -> None:
    """Neither those that were ignored nor those that could not be read."""
    ignored = QueueMessage("m0", "e0", reason="nothing to do")
    broken = QueueMessage("m1", "e1", error=MalformedEventError("broken"))
    assert merge([ignored, broken]) == {}


def test_the_same_name_in_two_regions_is_two_functions() -> None:
    """Targets are compared whole."""
    other = FunctionTarget("aws", "eu-west-1", "123456789012", "orders")
    messages = [QueueMessage("m0", "e0", (ORDERS,)), QueueMessage("m1", "e1", (other,))]
    assert merge(messages).keys() == {ORDERS, other}


@pytest.mark.parametrize("event", [{}, {"detail": {"eventName": "AddPermission20150331v2"}}, {"Records": None}])
def test_what_is_no_batch_of_a_queue_is_refused(event: dict[str, Any]) -> None:
    """Whoever invokes a checker with something else hears it; nothing is dropped in silence."""
    with pytest.raises(MalformedEventError, match="has no `Records`"):
        read_batch(event, Direction.EXECUTION_ROLE)
