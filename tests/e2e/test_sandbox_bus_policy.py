"""Event bus policies: how they are stored, and who may put events on a bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import ACCOUNT, REGION, Sandbox
from tests.e2e.answers import rejection, stable_status

if TYPE_CHECKING:
    from collections.abc import Callable

PUT_EVENTS = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"}
EVERYTHING = {"Effect": "Allow", "Action": "events:*", "Resource": "*"}


def bus_arn(name: str) -> str:
    """Return the ARN of a bus."""
    return f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}"


def only(bus: str, *roles: str) -> dict[str, Any]:
    """Return the statement that denies everyone but some roles, and AWS's services, to put events on a bus."""
    return {
        "Sid": "OnlyTheseRoles",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": bus_arn(bus),
        "Condition": {
            "ArnNotEquals": {"aws:PrincipalArn": list(roles)},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }


def allow(bus: str, **members: Any) -> dict[str, Any]:
    """Return a statement that allows to put events on a bus."""
    return {"Sid": "Allow", "Effect": "Allow", "Action": "events:PutEvents", "Resource": bus_arn(bus), **members}


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def events_on(*buses: str, **members: Any) -> list[dict[str, Any]]:
    """Return an event for each of some buses."""
    event = {"Source": "shop", "DetailType": "Order Placed", "Detail": "{}", **members}
    return [{**event, "EventBusName": bus} for bus in buses]


def stored(sandbox: Sandbox, bus: str) -> list[dict[str, Any]]:
    """Return the statements of a bus's policy."""
    described = sandbox.client("events").describe_event_bus(Name=bus)
    statements: list[dict[str, Any]] = json.loads(described.get("Policy", '{"Statement": []}'))["Statement"]
    return statements


@pytest.fixture
def bus(sandbox: Sandbox, unique: str) -> str:
    """Make a bus and return its name."""
    sandbox.client("events").create_event_bus(Name=unique)
    return unique


@pytest.fixture
def publisher(make_role: Callable[..., str], unique: str) -> str:
    """Make a role that may put events on every bus."""
    return make_role(f"{unique}-publisher", PUT_EVENTS)


@pytest.fixture
def stranger(make_role: Callable[..., str], unique: str) -> str:
    """Make a role that may do everything in EventBridge."""
    return make_role(f"{unique}-stranger", EVERYTHING)


def test_a_deny_with_exceptions_lets_only_the_excepted_role_put_events(
    sandbox: Sandbox, assume: Callable[[str, str], Any], bus: str, publisher: str, stranger: str
) -> None:
    """A deny with exceptions lets only the excepted role put events: not others, and not the root."""
    sandbox.client("events").put_permission(EventBusName=bus, Policy=policy(only(bus, publisher)))

    names = (bus, bus_arn(bus), bus_arn(bus).replace("arn:aws:", "arn:aws-cn:"))
    put = [assume(publisher, "events").put_events(Entries=events_on(name))["FailedEntryCount"] for name in names]
    denied = {rejection(assume(stranger, "events").put_events, Entries=events_on(name)) for name in names}
    denied_root = rejection(sandbox.client("events").put_events, Entries=events_on(bus))

    reason = (
        f"is not authorized to perform: events:PutEvents on resource: {bus_arn(bus)} "
        "with an explicit deny in a resource-based policy"
    )
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{stranger.rpartition('/')[2]}/test"
    assert put == [0, 0, 0]
    assert denied == {("AccessDeniedException", f"User: {session} {reason}", 400)}
    assert denied_root == ("AccessDeniedException", f"User: arn:aws:iam::{ACCOUNT}:root {reason}", 400)


def test_the_deny_holds_for_put_events_only(
    sandbox: Sandbox, assume: Callable[[str, str], Any], bus: str, publisher: str, stranger: str
) -> None:
    """Rules, targets, permissions and the deletion of the bus are not denied with PutEvents."""
    owner = sandbox.client("events")
    owner.put_permission(EventBusName=bus, Policy=policy(only(bus, publisher)))

    for events in (owner, assume(stranger, "events")):
        events.put_rule(Name="rule", EventBusName=bus, EventPattern='{"source": ["shop"]}')
        events.delete_rule(Name="rule", EventBusName=bus)
        events.put_permission(EventBusName=bus, StatementId="More", Action="events:PutEvents", Principal="111122223333")
        events.remove_permission(EventBusName=bus, StatementId="More")
        assert [one["Sid"] for one in stored(sandbox, bus)] == ["OnlyTheseRoles"]
    owner.delete_event_bus(Name=bus)
    assert rejection(owner.describe_event_bus, Name=bus)[0] == "ResourceNotFoundException"


def test_a_deny_of_everything_holds_for_the_root_too(
    sandbox: Sandbox, assume: Callable[[str, str], Any], bus: str, stranger: str
) -> None:
    """A deny of every action holds for all calls on the bus, also for the root's."""
    owner = sandbox.client("events")
    owner.put_permission(EventBusName=bus, Policy=policy({**only(bus), "Action": "events:*"}))

    for events in (owner, assume(stranger, "events")):
        for call in (events.describe_event_bus, events.update_event_bus, events.delete_event_bus):
            assert rejection(call, Name=bus)[1].endswith("with an explicit deny in a resource-based policy")
        permission = {"EventBusName": bus, "StatementId": "More", "Action": "events:PutEvents", "Principal": "*"}
        assert rejection(events.put_permission, **permission)[2] == 400
    assert owner.list_event_buses(NamePrefix=bus)["EventBuses"]


def test_one_event_for_a_denied_bus_rejects_the_call(
    sandbox: Sandbox, assume: Callable[[str, str], Any], bus: str, stranger: str
) -> None:
    """A call with events for several buses is authorized for each of them."""
    sandbox.client("events").put_permission(EventBusName=bus, Policy=policy(only(bus)))
    events = assume(stranger, "events")

    assert events.put_events(Entries=events_on("default"))["FailedEntryCount"] == 0
    assert bus_arn(bus) in rejection(events.put_events, Entries=events_on("default", bus))[1]


def test_an_allow_of_the_bus_suffices_in_its_account(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Callable[[str, str], Any], bus: str, unique: str
) -> None:
    """An allow of the bus policy suffices in its account, and an explicit deny of the role wins over it."""
    owner, role = sandbox.client("events"), make_role(unique)
    denied_role = make_role(f"{unique}-denied", {**PUT_EVENTS, "Effect": "Deny"})
    without = rejection(assume(role, "events").put_events, Entries=events_on(bus))

    principals = {"AWS": [role, denied_role]}
    owner.put_permission(EventBusName=bus, Policy=policy(allow(bus, Principal=principals)))

    assert assume(role, "events").put_events(Entries=events_on(bus))["FailedEntryCount"] == 0
    denied = rejection(assume(denied_role, "events").put_events, Entries=events_on(bus))
    reason = f"events:PutEvents on resource: {bus_arn(bus)}"
    assert without[1].endswith(f"{reason} because no identity-based policy allows the events:PutEvents action")
    assert denied[1].endswith(f"{reason} with an explicit deny in an identity-based policy")


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, True),
        ({"StringEquals": {"events:source": "shop"}}, False),
        ({"StringEquals": {"events:source": "other"}}, True),
        ({"StringEquals": {"events:detail-type": "Order Placed"}}, False),
        ({"StringNotEquals": {"events:detail-type": "Order Placed"}}, True),
        ({"Null": {"aws:SourceArn": "false"}}, True),
    ],
)
def test_a_deny_holds_if_its_conditions_are_met(
    *,
    sandbox: Sandbox,
    assume: Callable[[str, str], Any],
    bus: str,
    stranger: str,
    condition: dict[str, Any],
    passes: bool,
) -> None:
    """A deny holds if its conditions are met."""
    denies = {**only(bus), "Condition": condition}
    sandbox.client("events").put_permission(EventBusName=bus, Policy=policy(denies))
    events = assume(stranger, "events")

    if passes:
        assert events.put_events(Entries=events_on(bus))["FailedEntryCount"] == 0
    else:
        assert "explicit deny" in rejection(events.put_events, Entries=events_on(bus))[1]


def test_permissions_are_stored_as_on_aws(sandbox: Sandbox, bus: str) -> None:
    """PutPermission adds or replaces one statement, or the whole policy; RemovePermission removes one or all."""
    events = sandbox.client("events")
    organization = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"}
    account = {"EventBusName": bus, "StatementId": "Account", "Action": "events:PutEvents"}

    events.put_permission(**account, Principal="999999999999")
    events.put_permission(**account, Principal="111122223333")
    events.put_permission(
        EventBusName=bus, StatementId="Org", Action="events:PutEvents", Principal="*", Condition=organization
    )
    of_account = allow(bus, Sid="Account", Principal={"AWS": "arn:aws:iam::111122223333:root"})
    of_org = allow(bus, Sid="Org", Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}})
    assert stored(sandbox, bus) == [of_account, of_org]
    (listed,) = events.list_event_buses(NamePrefix=bus)["EventBuses"]
    assert json.loads(listed["Policy"])["Statement"] == [of_account, of_org]

    events.remove_permission(EventBusName=bus, StatementId="Account")
    assert stored(sandbox, bus) == [of_org]
    events.put_permission(EventBusName=bus, Policy=policy(only(bus)))
    assert stored(sandbox, bus) == [only(bus)]
    events.remove_permission(EventBusName=bus, RemoveAllPermissions=True)
    assert stored(sandbox, bus) == []


def test_what_aws_rejects_is_rejected(sandbox: Sandbox, bus: str) -> None:
    """Missing buses and statements, and members and documents that are not valid, are rejected."""
    events = sandbox.client("events")
    permission = {"Action": "events:PutEvents", "Principal": "*", "StatementId": "Sid"}
    missing = "ResourceNotFoundException"

    assert rejection(events.put_permission, EventBusName=f"{bus}-lost", **permission) == (
        missing,
        f"Event bus {bus}-lost does not exist.",
        400,
    )
    lost = {"EventBusName": bus, "StatementId": "Lost"}
    assert rejection(events.remove_permission, **lost) == (missing, "EventBus does not have a policy.", 400)
    events.put_permission(EventBusName=bus, **permission)
    text = "Statement with the provided id does not exist."
    assert rejection(events.remove_permission, **lost) == (missing, text, 400)
    for change in ({"Principal": "someone"}, {"StatementId": "not valid"}, {"Action": "sqs:SendMessage"}):
        assert rejection(events.put_permission, EventBusName=bus, **permission | change)[0] == "ValidationException"
    for document in ("no JSON", "[]", policy(), policy({"Effect": "Deny"}), policy({**only(bus), "Effect": "Denied"})):
        assert rejection(events.put_permission, EventBusName=bus, Policy=document)[0] == "ValidationException"
    long = policy({**only(bus), "Sid": "x" * 10_240})
    assert rejection(events.put_permission, EventBusName=bus, Policy=long)[0] == "PolicyLengthExceededException"
    assert [one["Sid"] for one in stored(sandbox, bus)] == ["Sid"]


def test_a_new_bus_has_no_policy_of_a_deleted_one(sandbox: Sandbox, bus: str) -> None:
    """A new bus has no policy of a deleted one with its name."""
    events = sandbox.client("events")
    events.put_permission(EventBusName=bus, Policy=policy(only(bus)))
    events.delete_event_bus(Name=bus)
    events.create_event_bus(Name=bus)

    assert stored(sandbox, bus) == []
    assert events.put_events(Entries=events_on(bus))["FailedEntryCount"] == 0


def test_a_rule_puts_events_on_another_bus_as_its_role(
    sandbox: Sandbox, make_role: Callable[..., str], bus: str, publisher: str, unique: str
) -> None:
    """A rule with a target bus puts events there as the role of the target."""
    events, other = sandbox.client("events"), make_role(f"{unique}-other", PUT_EVENTS)
    events.create_event_bus(Name=f"{bus}-from")
    events.put_permission(EventBusName=bus, Policy=policy(only(bus, publisher)))
    pattern = {"Name": "rule", "EventPattern": '{"source": ["shop"]}'}
    events.put_rule(EventBusName=f"{bus}-from", **pattern)
    archive = sandbox.client("events").create_archive(ArchiveName=unique, EventSourceArn=bus_arn(bus))
    assert archive["ArchiveArn"]

    for role, archived in ((other, 0), (publisher, 1)):
        target = {"Id": "bus", "Arn": bus_arn(bus), "RoleArn": role}
        events.put_targets(Rule="rule", EventBusName=f"{bus}-from", Targets=[target])
        events.put_events(Entries=events_on(f"{bus}-from"))
        assert events.describe_archive(ArchiveName=unique)["EventCount"] == archived


def stack(bus: str, **statements: dict[str, Any]) -> str:
    """Return a template of a bus with a policy resource for each statement, in the form of its members."""
    resources: dict[str, Any] = {"Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": bus}}}
    for name, members in statements.items():
        properties = {"EventBusName": {"Ref": "Bus"}, "StatementId": name, **members}
        resources[name] = {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}
    return json.dumps({"Resources": resources})


def test_cloudformation_makes_changes_and_removes_statements(sandbox: Sandbox, unique: str) -> None:
    """A stack makes statements of both forms, changes them in place and removes them."""
    cloudformation, role = sandbox.client("cloudformation"), f"arn:aws:iam::{ACCOUNT}:role/publisher"
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"}
    form = {"Action": "events:PutEvents", "Principal": "*", "Condition": condition}
    statement = {key: value for key, value in only(unique).items() if key != "Sid"}

    first = stack(unique, Only={"Statement": statement}, Org=form)
    cloudformation.create_stack(StackName=unique, TemplateBody=first)
    assert stable_status(sandbox, unique) == "CREATE_COMPLETE"
    of_org = allow(unique, Sid="Org", Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}})
    assert sorted(stored(sandbox, unique), key=str) == sorted([{**statement, "Sid": "Only"}, of_org], key=str)

    changed = {key: value for key, value in only(unique, role).items() if key != "Sid"}
    cloudformation.update_stack(StackName=unique, TemplateBody=stack(unique, Only={"Statement": changed}))
    assert stable_status(sandbox, unique) == "UPDATE_COMPLETE"
    assert stored(sandbox, unique) == [{**changed, "Sid": "Only"}]

    renamed = stack(unique, Only={"Statement": changed, "StatementId": "Renamed"})
    cloudformation.update_stack(StackName=unique, TemplateBody=renamed)
    assert stable_status(sandbox, unique) == "UPDATE_COMPLETE"
    assert stored(sandbox, unique) == [{**changed, "Sid": "Renamed"}]

    cloudformation.delete_stack(StackName=unique)
    assert stable_status(sandbox, unique) == "DELETED"
    events = sandbox.client("events")
    assert rejection(events.describe_event_bus, Name=unique)[0] == "ResourceNotFoundException"


def test_cloudformation_leaves_the_statements_of_others(sandbox: Sandbox, bus: str) -> None:
    """The deletion of a stack removes its statements from a bus, and no other statement."""
    cloudformation = sandbox.client("cloudformation")
    sandbox.client("events").put_permission(EventBusName=bus, Policy=policy(allow(bus, Principal="*")))
    properties = {"EventBusName": bus, "StatementId": "Mine", "Statement": only(bus)}
    body = json.dumps({"Resources": {"Mine": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}}})

    cloudformation.create_stack(StackName=bus, TemplateBody=body)
    assert stable_status(sandbox, bus) == "CREATE_COMPLETE"
    assert [one["Sid"] for one in stored(sandbox, bus)] == ["Allow", "Mine"]
    cloudformation.delete_stack(StackName=bus)
    assert stable_status(sandbox, bus) in {"DELETED", "DELETE_COMPLETE"}
    assert [one["Sid"] for one in stored(sandbox, bus)] == ["Allow"]


@pytest.mark.parametrize(
    "properties",
    [
        {"EventBusName": "a-bus-that-does-not-exist", "Action": "events:PutEvents", "Principal": "*"},
        {"Statement": {"Effect": "Deny"}},
        {},
    ],
)
def test_a_stack_with_an_invalid_bus_policy_fails(sandbox: Sandbox, unique: str, properties: dict[str, Any]) -> None:
    """A stack with a bus policy that EventBridge rejects fails."""
    resource = {"Type": "AWS::Events::EventBusPolicy", "Properties": {"StatementId": "Sid", **properties}}
    body = json.dumps({"Resources": {"Policy": resource}})
    sandbox.client("cloudformation").create_stack(StackName=unique, TemplateBody=body)

    assert stable_status(sandbox, unique) == "ROLLBACK_COMPLETE"


def test_unknown_types_are_still_rejected(sandbox: Sandbox, unique: str) -> None:
    """A type that the sandbox does not have is still rejected."""
    body = json.dumps({"Resources": {"Archive": {"Type": "AWS::Events::Unknown"}}})

    code, message, _ = rejection(sandbox.client("cloudformation").create_stack, StackName=unique, TemplateBody=body)

    assert (code, "AWS::Events::Unknown" in message) == ("ValidationError", True)
