"""Snapshots: each scope reads what it needs of every relevant version, and each role only once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.readers.permissions import READS
from permission_guard.model.state import EventInvokeConfig, Function, ManagedBy, ResourcePolicy, Role, Snapshot, Unread
from permission_guard.model.targets import Direction
from tests.fakes import (
    ACCOUNT,
    DENIED,
    FUNCTION_ARN,
    OTHER,
    QUEUE_ARN,
    ROLE_ARN,
    SQS_POLICY,
    TARGET,
    THROTTLED,
    a_function,
    a_mapping,
    a_policy,
    a_role,
    allow,
)
from tests.unit.aws.readers.snapshot_account import EVERYTHING, LIVE, OLD_ROLE, Account, snapshot_of

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping


def test_the_invoke_policy_scope_reads_the_policies_and_no_role() -> None:
    """Failed reads are kept in the snapshot."""
    account = Account({FUNCTION_ARN: a_function()})
    snapshot = account.reader.snapshot(TARGET, Direction.INVOKE_POLICY)
    assert account.asked == ["resource policies", "function URLs", FUNCTION_ARN, "inventories since 0"]
    assert len(snapshot.resource_policies) == 2
    assert snapshot.unread == (DENIED,)
    assert (snapshot.own_organization, snapshot.foreign_buckets) == (None, {})


def allowing(**condition: dict[str, str]) -> ResourcePolicy:
    """Return a policy with a condition."""
    return ResourcePolicy(FUNCTION_ARN, None, a_policy(allow("lambda:InvokeFunction", Condition=condition)))


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, ["organization"]),
        ({"ForAnyValue:StringLike": {"AWS:SourceOrgPaths": "o-1/*"}}, ["organization"]),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::ours"}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::deleted"}}, ["arn:aws:s3:::deleted since 7"]),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::deleted-*"}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:deleted"}}, []),
    ],
)
def test_state_that_few_policies_refer_to_is_read_only_for_them(
    condition: dict[str, dict[str, str]], asked: list[str]
) -> None:
    """A sweep of many functions can make only a few calls for each."""
    account = Account({FUNCTION_ARN: a_function()}, resource=(allowing(**condition),), buckets=("arn:aws:s3:::ours",))
    snapshot = account.reader.snapshot(TARGET, Direction.INVOKE_POLICY, not_before=7.0)
    assert account.asked == ["resource policies", "function URLs", FUNCTION_ARN, "inventories since 7", *asked]
    assert snapshot.foreign_buckets == {arn.split()[0]: False for arn in asked if ":s3:" in arn}


@pytest.mark.parametrize(
    ("statement", "is_retried"),
    [
        (allow("lambda:InvokeFunctionUrl"), True),
        (allow("lambda:InvokeFunction", Condition={"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}), True),
        (allow("lambda:*", Condition={"StringEquals": {"lambda:functionurlauthtype": "NONE"}}), True),
        (allow("lambda:InvokeFunction"), False),
    ],
)
def test_urls_that_cannot_be_read_are_retried_if_a_statement_refers_to_them(
    statement: dict[str, Any], is_retried: bool
) -> None:
    """Without a statement, the worst is a URL that nobody can call."""
    policy = ResourcePolicy(FUNCTION_ARN, None, a_policy(statement))
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(policy,), function_urls=THROTTLED)
    assert snapshot.unread == ((THROTTLED,) if is_retried else ())


def test_a_bucket_is_not_requested_if_the_list_of_own_buckets_is_unread() -> None:
    """The bucket may belong to the account."""
    policy = allowing(ArnLike={"aws:SourceArn": "arn:aws:s3:::deleted"})
    account = Account({FUNCTION_ARN: a_function()}, resource=(policy,), buckets=DENIED)
    snapshot = account.reader.snapshot(TARGET, Direction.INVOKE_POLICY)
    assert snapshot.foreign_buckets == {}
    assert snapshot.unread == ()


def test_the_stack_of_a_function_is_read_from_the_tags_reserved_for_cloudformation() -> None:
    """Other tags say nothing about the stack."""
    account = Account({FUNCTION_ARN: a_function()})
    assert account.reader.managed_by(TARGET) is None
    account.tagged = {"aws:cloudformation:stack-name": "shop", "team": "orders"}
    assert account.reader.managed_by(TARGET) == ManagedBy("cloudformation", "shop")
    account.tagged = THROTTLED
    assert account.reader.managed_by(TARGET) == THROTTLED


# ── The execution role ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_execution_role_scope_reads_the_mappings_and_the_role() -> None:
    """The function itself is read once, also where a mapping names it."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(), a_mapping(uuid="second")))
    snapshot = snapshot_of(account)
    assert account.asked == ["invoke configs", FUNCTION_ARN, "mappings", ROLE_ARN, f"state of {QUEUE_ARN}"]
    assert set(snapshot.versions) == {FUNCTION_ARN}
    assert set(snapshot.roles) == {ROLE_ARN}
    assert (snapshot.tags, snapshot.own_organization) == (None, None)


def test_sources_without_keys_are_not_read_for_a_role_that_allows_everything() -> None:
    """Only a customer managed key can still deny: KMS evaluates the key policy as well."""
    cluster = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1"
    mapped = (a_mapping(cluster, configuration={"Topics": ["placed"]}),)
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/orders"
    account = Account({FUNCTION_ARN: a_function()}, mapped, invoked=(EventInvokeConfig(FUNCTION_ARN, bus),))
    snapshot = snapshot_of(account)
    assert account.asked == ["invoke configs", FUNCTION_ARN, "mappings", ROLE_ARN]
    assert (snapshot.sources, snapshot.source_policies) == ({}, {})


def test_a_mapping_of_an_alias_is_read_with_the_role_of_its_version() -> None:
    """A published version keeps the role that it was published with."""
    live = Function(LIVE, "orders", OLD_ROLE)
    account = Account({FUNCTION_ARN: a_function(), LIVE: live}, (a_mapping(function_arn=LIVE),))
    snapshot = snapshot_of(account)
    assert snapshot.versions == {FUNCTION_ARN: a_function(), LIVE: live}
    assert snapshot.roles == {ROLE_ARN: a_role(EVERYTHING), OLD_ROLE: None}


def test_a_version_with_a_destination_is_read_with_its_role() -> None:
    """One without a destination sends nothing anywhere."""
    live = Function(LIVE, "orders", OLD_ROLE)
    invoked = (EventInvokeConfig(LIVE, on_failure=QUEUE_ARN), EventInvokeConfig(f"{FUNCTION_ARN}:7"))
    account = Account({FUNCTION_ARN: a_function(), LIVE: live}, (), {OLD_ROLE: a_role()}, invoked=invoked)
    snapshot = snapshot_of(account)
    assert snapshot.invoke_configs == invoked
    assert set(snapshot.versions) == {FUNCTION_ARN, LIVE}
    assert set(snapshot.roles) == {ROLE_ARN, OLD_ROLE}
    assert snapshot.source_policies == {QUEUE_ARN: None}


@pytest.mark.parametrize(
    ("direction", "asked"),
    [
        (Direction.INVOKE_POLICY, ["resource policies", "function URLs", FUNCTION_ARN]),
        (Direction.EXECUTION_ROLE, ["invoke configs", FUNCTION_ARN]),
    ],
)
def test_nothing_else_is_read_of_a_deleted_function(direction: Direction, asked: list[str]) -> None:
    """What goes with it is read first, so a function that is deleted between the calls is not one without a policy."""
    account = Account({})
    assert account.reader.snapshot(TARGET, direction).function is None
    assert account.asked == asked


def test_failed_reads_are_values_in_the_snapshot_and_not_errors() -> None:
    """Each failure takes the place of the function, mappings, destinations or version that could not be read."""
    account = Account({FUNCTION_ARN: THROTTLED}, DENIED, invoked=THROTTLED)
    snapshot = snapshot_of(account)
    assert snapshot.function == THROTTLED
    assert snapshot.mappings == DENIED
    assert snapshot.invoke_configs == THROTTLED
    assert snapshot.roles == {}
    deleted = Account({FUNCTION_ARN: a_function()}, (a_mapping(function_arn=LIVE),))
    assert snapshot_of(deleted).versions[LIVE] is None


def test_a_role_is_read_once_for_all_functions_of_a_batch() -> None:
    """A role that does not exist is remembered too."""
    account = Account({FUNCTION_ARN: a_function(), OTHER.arn: a_function(OTHER)}, roles={})
    reader = account.reader
    for target in (TARGET, OTHER):
        assert reader.snapshot(target, Direction.EXECUTION_ROLE).roles == {ROLE_ARN: None}
    assert account.asked.count(ROLE_ARN) == 1


@pytest.mark.parametrize("mapped", [(a_mapping(),), (), DENIED])
def test_the_mappings_are_listed_once_for_all_functions_of_a_batch(
    mapped: tuple[EventSourceMapping, ...] | Unread,
) -> None:
    """Each function gets its own mappings. If the list fails, it fails for every function."""
    account = Account({FUNCTION_ARN: a_function(), OTHER.arn: a_function(OTHER)}, mapped)
    reader = account.reader
    assert reader.snapshot(TARGET, Direction.EXECUTION_ROLE).mappings == mapped
    assert reader.snapshot(OTHER, Direction.EXECUTION_ROLE).mappings == (mapped if mapped == DENIED else ())
    assert account.asked.count("mappings") == 1


def test_the_mappings_are_not_listed_before_a_snapshot_needs_them() -> None:
    """Otherwise they could be older than the check that uses them."""
    account = Account({FUNCTION_ARN: a_function()})
    reader = account.reader
    reader.snapshot(OTHER, Direction.EXECUTION_ROLE)
    reader.snapshot(TARGET, Direction.INVOKE_POLICY)
    assert "mappings" not in account.asked


@pytest.mark.parametrize("key", ["aws:PrincipalOrgID", "aws:SourceOrgID", "aws:PrincipalOrgPaths"])
def test_the_organization_is_read_if_a_trust_policy_refers_to_one(key: str) -> None:
    """It is not read for any other role."""
    trust = a_policy(allow("sts:AssumeRole", Principal="*", Condition={"StringEquals": {key: "o-exampleorgid"}}))
    role = replace(a_role(EVERYTHING), trust_policy=trust)
    assert (
        snapshot_of(Account({FUNCTION_ARN: a_function()}, roles={ROLE_ARN: role})).own_organization == "o-exampleorgid"
    )
    assert snapshot_of(Account({FUNCTION_ARN: a_function()})).own_organization is None


# ── For a fix ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fix_bypasses_the_caches_and_reads_the_tags() -> None:
    """Cached state may be what the fix or a person has just changed."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), {ROLE_ARN: a_role()})
    reader = account.reader
    for _ in range(2):
        account.asked, account.forgotten = ["before"], 0
        snapshot = reader.snapshot_for_fix(TARGET, Direction.EXECUTION_ROLE)
        assert snapshot.tags == {"team": "orders"}
        # Three readers drop their caches (roles, sources, organization); this account plays all three.
        assert ("before" in account.asked, account.forgotten) == (False, 3)
        assert [account.asked.count(what) for what in (ROLE_ARN, "mappings", f"policy of {QUEUE_ARN}")] == [1, 1, 1]


def test_a_fix_of_a_policy_reads_what_invokes_at_most_a_minute_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that was configured since would be denied. An account can have thousands of buckets."""
    monkeypatch.setattr("permission_guard.aws.readers.snapshots.time.time", lambda: 1_000.0)
    account = Account({FUNCTION_ARN: a_function()})
    account.reader.snapshot_for_fix(TARGET, Direction.INVOKE_POLICY)
    assert "inventories since 940" in account.asked


def test_every_scope_declares_the_actions_that_it_reads_with() -> None:
    """Tests compare the roles in template.yaml with these actions."""
    assert set(READS) == set(Direction)
    for actions in READS.values():
        assert actions
        reading = ("Get", "List", "Describe", "Simulate", "GET")
        assert all(action.split(":")[1].startswith(reading) for action in actions)


# ── What the organization denies ─────────────────────────────────────────────────────────────────────────────────────

ACCESS_DENIED = "PROBLEM: Lambda does not have required permissions to access the queue."
READING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def simulated(account: Account) -> list[str]:
    """Take a snapshot; return what the simulator was asked."""
    snapshot_of(account)
    return [asked for asked in account.asked if asked.startswith("organization of ")]


@pytest.mark.parametrize(
    "mapping",
    [
        a_mapping(last_processing_result=ACCESS_DENIED),
        a_mapping(state="Disabled", state_transition_reason="Disabled by Lambda"),
    ],
    ids=["denied", "disabled"],
)
def test_the_simulator_is_asked_if_aws_denies_a_mapping_access(mapping: EventSourceMapping) -> None:
    """It is asked for the actions that read the source. The denials become part of the role."""
    account = Account({FUNCTION_ARN: a_function()}, (mapping,), {ROLE_ARN: a_role(SQS_POLICY)})
    assert simulated(account) == [f"organization of {action} on {QUEUE_ARN}" for action in READING]
    account.denials = frozenset({("sqs:ReceiveMessage", QUEUE_ARN)})
    role = snapshot_of(account).roles[ROLE_ARN]
    assert isinstance(role, Role)
    assert role.denied_by_organization == account.denials


def test_the_simulator_is_not_asked_if_aws_reports_no_problem() -> None:
    """That is the usual case, and IAM throttles early."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), {ROLE_ARN: a_role(SQS_POLICY)})
    assert simulated(account) == []


def test_the_simulator_is_not_asked_for_actions_that_the_role_lacks() -> None:
    """The missing permission is reported whatever the organization allows."""
    mapping = a_mapping(last_processing_result=ACCESS_DENIED)
    account = Account({FUNCTION_ARN: a_function()}, (mapping,), {ROLE_ARN: a_role()})
    assert simulated(account) == []


@pytest.mark.parametrize(("unread", "retried"), [(DENIED, False), (THROTTLED, True)])
def test_a_failed_simulator_call_has_the_message_retried_unless_it_was_denied(unread: Unread, retried: bool) -> None:
    """A throttled call may succeed next time; a denied one would be denied again."""
    mapping = a_mapping(last_processing_result=ACCESS_DENIED)
    account = Account({FUNCTION_ARN: a_function()}, (mapping,), {ROLE_ARN: a_role(SQS_POLICY)}, denials=unread)
    assert (unread in snapshot_of(account).unread) is retried
