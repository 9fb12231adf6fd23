"""Reading a batch of queue messages: each target is listed once, and no message is lost."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import MalformedEventError, UnknownEventError
from permission_guard.intake.check_requests import check_request_body
from permission_guard.intake.messages import QueueMessage, merge, read_batch
from permission_guard.model.role_permissions import RoleChange
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
    """Return an SQS event with these bodies; the messages are called `m0`, `m1` and so on."""
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


def test_the_sample_batch_of_resource_policies_causes_one_check() -> None:
    """It has eight changes of one function and one ignored event."""
    messages = read_batch(load("sqs/check_invoke_policy.json"), Direction.INVOKE_POLICY)
    assert [message.error for message in messages] == [None] * 9
    *changes, ignored = messages
    assert merge(messages) == {ORDERS: tuple(changes)}
    assert ignored.targets == ()
    assert ignored.reason


def test_the_sample_batch_of_execution_roles_causes_two_checks() -> None:
    """It has three changes of the function, three of its role, and one failed call."""
    messages = read_batch(load("sqs/check_execution_role.json"), Direction.EXECUTION_ROLE)
    assert [message.error for message in messages] == [None] * 7
    assert {target: len(causes) for target, causes in merge(messages).items()} == {ORDERS: 3, ROLE: 3}
    assert messages[-1].reason == "the call did not succeed: InvalidParameterValueException"


def test_the_sample_check_request_has_its_functions_as_targets() -> None:
    """The sweep sends such requests."""
    (message,) = read_batch(load("sqs/check_requested.json"), Direction.INVOKE_POLICY)
    assert message.targets == (ORDERS, INVOICES)
    assert message.event_id == f"check-request/{message.message_id}"


def test_malformed_messages_of_the_sample_batch_do_not_affect_the_valid_one() -> None:
    """Each malformed message has its own error."""
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


REQUESTS = ("Check Requested", "Ticket Review Requested")
"""Messages that the bot puts into a queue itself."""


@pytest.mark.parametrize("path", sorted((EVENTS / "sqs").glob("*.json")), ids=lambda path: str(path.stem))
def test_the_sample_batches_are_valid_sqs_events(path: Path) -> None:
    """The digest fits the body, ids are unique, and the events are those of the corpus."""
    records = json.loads(path.read_text())["Records"]
    assert len({record["messageId"] for record in records}) == len(records)
    corpus = [json.loads(sample.read_text()) for sample in EVENTS.rglob("*.json") if sample.parent.name != "sqs"]
    for record in records:
        body = record["body"]
        assert record["md5OfBody"] == hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        if body.startswith("{") and json.loads(body).get("detail-type") not in REQUESTS:
            assert json.loads(body) in corpus


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_has_its_own_id_and_the_event_id_of_its_record() -> None:
    """The queue needs the first; the log and the finding need the second. The finding names who made the change too."""
    sample = load("cloudtrail/attach_role_policy.json")
    detail = sample["detail"]
    caller = detail["userIdentity"]["arn"]
    assert read_one(sample) == QueueMessage(
        "m0",
        detail["eventID"],
        (ROLE,),
        changed_by=caller,
        changed_from=detail["sourceIPAddress"],
        changed_with=detail["userAgent"],
        changed_in=detail["awsRegion"],
        changed_event=detail["eventID"],
    )


@pytest.mark.parametrize("name", ["detach_role_policy", "put_role_policy", "delete_role_policy"])
def test_a_message_has_the_change_of_a_role_that_can_have_removed_a_permission(name: str) -> None:
    """The checkpoint keeps it: a fix restores only what such a call removed."""
    detail = load(f"cloudtrail/{name}.json")["detail"]
    at = datetime.fromisoformat(detail["eventTime"]).isoformat()
    (change,) = read_one(load(f"cloudtrail/{name}.json")).role_changes
    assert change == RoleChange(
        detail["eventID"], detail["eventName"], at, detail["userIdentity"]["arn"], role_name=ROLE.name
    )
    by_event = {"changed_event": detail["eventID"], "changed_in": "eu-west-1"}
    requested = json.loads(check_request_body([ORDERS], changed_by=change.by, role_changes=[change], **by_event))
    assert read_one(requested).role_changes == (change,)
    assert (read_one(requested).changed_event, read_one(requested).changed_in) == (detail["eventID"], "eu-west-1")
    assert read_one(requested).changed_by == change.by


@pytest.mark.parametrize("name", ["create_policy_version", "set_default_policy_version"])
def test_a_message_has_the_change_of_a_policy(name: str) -> None:
    """It removes permissions from every role that has the policy."""
    sample = load(f"cloudtrail/{name}.json")
    (change,) = read_one(sample).role_changes
    assert (change.role_name, change.policy_arn) == ("", sample["detail"]["requestParameters"]["policyArn"])


@pytest.mark.parametrize(
    "name",
    ["attach_role_policy", "tag_role", "create_role", "update_function_configuration", "delete_role_policy_denied"],
)
def test_other_calls_are_no_changes_that_remove_a_permission(name: str) -> None:
    """They grant, or fail, or change something else."""
    assert read_one(load(f"cloudtrail/{name}.json")).role_changes == ()


@pytest.mark.parametrize("arn", [None, 7, "mallory", "arn:aws:iam::123456789012:user/x\n; rm -rf /", "arn:aws:s3:::x"])
def test_a_caller_that_is_no_principal_is_unknown(arn: Any) -> None:
    """The text comes from a record, and is shown to people."""
    sample = load("cloudtrail/detach_role_policy.json")
    sample["detail"]["userIdentity"]["arn"] = arn
    assert read_one(sample).changed_by == ""


@pytest.mark.parametrize("time", [None, "", "yesterday", 7])
def test_a_change_without_a_time_is_no_cause(time: Any) -> None:
    """It could be older than the check that saw the permission."""
    sample = load("cloudtrail/detach_role_policy.json")
    sample["detail"]["eventTime"] = time
    assert read_one(sample).role_changes == ()


@pytest.mark.parametrize("changes", [7, [7], [{}], [{"at": "yesterday"}], "x", {"a": 1}])
def test_a_check_request_with_invalid_changes_is_malformed(changes: Any) -> None:
    """It reaches the dead-letter queue."""
    body = json.loads(check_request_body([ORDERS]))
    body["detail"]["role_changes"] = changes
    assert "invalid `role_changes`" in str(read_one(body).error)


@pytest.mark.parametrize(
    "names",
    [
        {"api": "AttachRolePolicy"},
        {"by": "mallory"},
        {"role_name": "orders role"},
        {"role_name": ""},
        {"role_name": "", "policy_arn": "arn:aws:s3:::bucket"},
    ],
)
def test_a_check_request_whose_changes_have_invalid_names_is_malformed(names: dict[str, str]) -> None:
    """A fix restores what they removed."""
    (change,) = read_one(load("cloudtrail/detach_role_policy.json")).role_changes
    body = check_request_body([ORDERS], role_changes=[replace(change, **names)])
    assert "`role_changes` with invalid names" in str(read_one(body).error)


def test_a_message_has_the_denied_call() -> None:
    """It can be merged like any other message. The invoke policy checker does not get the call."""
    sample = load("cloudtrail/create_event_source_mapping_denied_queue.json")
    message = read_one(sample)
    assert message.denied_call is not None
    assert message.denied_call.message == sample["detail"]["errorMessage"]
    assert merge([message, message]) == {ORDERS: (message, message)}
    assert list(dict.fromkeys((message, message))) == [message]
    assert read_one(load("cloudtrail/create_event_source_mapping.json")).denied_call is None
    assert read_one(load("cloudtrail/create_function_denied_role.json"), Direction.INVOKE_POLICY).denied_call is None


@pytest.mark.parametrize("body", ["", "{", "orders", "\x00", '{"detail": }', "[" * 100_000, '{"a":' * 100_000])
def test_a_body_that_is_not_json_fails_only_its_message(body: str) -> None:
    """Too deeply nested JSON is such a body as well."""
    broken, good = read_batch(batch(body, load("cloudtrail/attach_role_policy.json")), Direction.EXECUTION_ROLE)
    assert isinstance(broken.error, MalformedEventError)
    assert (broken.message_id, broken.event_id, str(broken.error)) == ("m0", "unknown", "the message is not JSON")
    assert good.targets == (ROLE,)


@pytest.mark.parametrize("body", ["null", "7", '"text"', "[]", "[[]]", "{}", '{"source": "permission-guard-2"}', "NaN"])
def test_json_that_is_no_event_fails_its_message(body: str) -> None:
    """A queue may contain any JSON."""
    message = read_one(body)
    assert str(message.error) == "the event has no `detail` object, so it is not a CloudTrail record"


def test_an_unknown_api_fails_its_message_with_the_event_id() -> None:
    """The message moves to the dead-letter queue, where an engineer finds it."""
    sample = load("cloudtrail/unknown_api.json")
    message = read_one(sample, Direction.INVOKE_POLICY)
    assert isinstance(message.error, UnknownEventError)
    assert message.event_id == sample["detail"]["eventID"]


@pytest.mark.parametrize("path", sorted((EVENTS / "malformed").glob("*.json")), ids=lambda path: str(path.stem))
def test_a_malformed_event_is_recorded_as_an_error_and_not_raised(path: Path) -> None:
    """In the scope that would check it."""
    direction = Direction.EXECUTION_ROLE if path.stem.startswith(("role", "policy")) else Direction.INVOKE_POLICY
    message = read_one(json.loads(path.read_text()), direction)
    assert isinstance(message.error, MalformedEventError)
    assert message.targets == ()


def test_an_ignored_event_has_a_reason_and_no_error() -> None:
    """The message is acknowledged, and the reason is logged."""
    message = read_one(load("cloudtrail/put_resource_policy_of_a_secret.json"))
    assert (message.error, message.targets) == (None, ())
    assert message.reason == "secretsmanager.amazonaws.com is not watched"


def test_an_empty_batch_has_no_messages() -> None:
    """It is not an error."""
    assert read_batch({"Records": []}, Direction.INVOKE_POLICY) == ()


# ── Check requests ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direction", Direction)
def test_a_check_request_is_read_as_it_was_written(direction: Direction) -> None:
    """Both checkers accept the same request."""
    message = read_one(check_request_body([ORDERS, INVOICES]), direction)
    assert message == QueueMessage("m0", "check-request/m0", (ORDERS, INVOICES), after_grace_period=True, full=True)


def test_a_check_request_has_the_oldest_usable_time_of_shared_state() -> None:
    """In seconds time 1970. Without a time, cached state of any age is used."""
    assert read_one(check_request_body([ORDERS], "2026-11-20T09:30:00.000+00:00")).requested_at == 1795167000.0
    assert read_one(check_request_body([ORDERS])).requested_at == 0.0


def test_a_check_request_has_its_events_and_the_tool_that_made_the_change() -> None:
    """It has at most five events; without any, it is identified by its own id."""
    message = read_one(check_request_body([ORDERS], causes=[f"e{number}" for number in range(9)], tool="terraform"))
    assert (message.event_ids, message.tool) == (("e0", "e1", "e2", "e3", "e4"), "terraform")
    assert read_one(check_request_body([ORDERS])).event_ids == ("check-request/m0",)


def test_a_long_event_id_is_cut() -> None:
    """It is passed on in each check request and finding, and CloudTrail's ids are UUIDs."""
    sample = load("cloudtrail/detach_role_policy.json")
    sample["detail"]["eventID"] = "e" * 200_000
    assert read_one(sample).event_ids == ("e" * 100,)
    requested = read_one(check_request_body([ORDERS], causes=["e" * 200_000]))
    assert (requested.targets, requested.event_ids) == ((ORDERS,), ("e" * 100,))


@pytest.mark.parametrize("causes", ["e1", [7]])
def test_a_check_request_whose_causes_are_not_strings_is_malformed(causes: Any) -> None:
    """They become part of a finding."""
    message = read_one({"source": "permission-guard", "detail": {"functions": [ORDERS.arn], "causes": causes}})
    assert str(message.error) == "a check request has `causes` that are not strings"


@pytest.mark.parametrize("tool", [None, ["terraform"], "pulumi", "terraform\n# run: curl"])
def test_a_check_request_with_an_unknown_tool_is_malformed(tool: Any) -> None:
    """A finding says that the tool manages the function."""
    message = read_one({"source": "permission-guard", "detail": {"functions": [ORDERS.arn], "tool": tool}})
    assert str(message.error) == "a check request has an unknown `tool`"


@pytest.mark.parametrize("changed_by", [None, 7, "mallory", "arn:aws:iam::123456789012:user/x\n# run: curl"])
def test_a_check_request_with_an_invalid_principal_is_malformed(changed_by: Any) -> None:
    """A finding names who made the change."""
    message = read_one({"source": "permission-guard", "detail": {"functions": [ORDERS.arn], "changed_by": changed_by}})
    assert str(message.error) == "a check request has a `changed_by` that is not the ARN of a principal"


@pytest.mark.parametrize("time", ["yesterday", 7, ["2026"], "", "0001-01-01T00:00:00"])
def test_a_check_request_with_an_invalid_time_is_malformed(time: Any) -> None:
    """The whole request fails, so that no function is dropped silently."""
    message = read_one({"source": "permission-guard", "detail": {"functions": [ORDERS.arn], "requested_at": time}})
    assert isinstance(message.error, MalformedEventError)
    assert message.targets == ()


def test_a_check_request_without_functions_has_no_targets() -> None:
    """The sweep of an account without functions sends one."""
    message = read_one(check_request_body([]))
    assert (message.targets, message.error) == ((), None)


def test_a_check_request_ignores_qualifiers() -> None:
    """A check always covers the whole function."""
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
def test_a_check_request_without_a_list_of_arns_is_malformed(detail: Any) -> None:
    """The error has the reason."""
    message = read_one({"source": "permission-guard", "detail-type": "Check Requested", "detail": detail})
    assert str(message.error) == "a check request has no list of function ARNs in `functions`"
    assert message.targets == ()


@pytest.mark.parametrize("name", ["orders", "123456789012:function:orders", "arn:aws:s3:::orders", "", "x" * 10_000])
def test_a_check_request_accepts_full_arns_only(name: str) -> None:
    """Another name fails the whole request with a short error, so that no function is dropped silently."""
    request = {"source": "permission-guard", "detail": {"functions": [ORDERS.arn, name]}}
    message = read_one(request)
    assert isinstance(message.error, MalformedEventError)
    assert len(str(message.error)) < 300
    assert message.targets == ()


# ── Merging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_changes_of_one_role_cause_one_check() -> None:
    """It has all ten messages, which succeed or fail together."""
    messages = read_batch(batch(*[load("cloudtrail/put_role_policy.json")] * 10), Direction.EXECUTION_ROLE)
    assert merge(messages) == {ROLE: messages}


def test_a_message_with_two_functions_is_listed_for_both() -> None:
    """The order of the messages is kept."""
    first = QueueMessage("m0", "e0", (ORDERS,))
    both = QueueMessage("m1", "e1", (INVOICES, ORDERS))
    assert merge([first, both]) == {ORDERS: (first, both), INVOICES: (both,)}
    assert list(merge([first, both])) == [ORDERS, INVOICES]


def test_messages_without_targets_cause_no_check() -> None:
    """Ignored and malformed messages have no targets."""
    ignored = QueueMessage("m0", "e0", reason="nothing to do")
    broken = QueueMessage("m1", "e1", error=MalformedEventError("broken"))
    assert merge([ignored, broken]) == {}


def test_the_same_name_in_two_regions_is_two_functions() -> None:
    """Targets are compared with their region and account."""
    other = FunctionTarget("aws", "eu-west-1", "123456789012", "orders")
    messages = [QueueMessage("m0", "e0", (ORDERS,)), QueueMessage("m1", "e1", (other,))]
    assert merge(messages).keys() == {ORDERS, other}


@pytest.mark.parametrize("event", [{}, {"detail": {"eventName": "AddPermission20150331v2"}}, {"Records": None}])
def test_an_event_that_is_no_sqs_batch_is_an_error(event: dict[str, Any]) -> None:
    """A wrong invocation must not be ignored silently."""
    with pytest.raises(MalformedEventError, match="has no `Records`"):
        read_batch(event, Direction.EXECUTION_ROLE)
