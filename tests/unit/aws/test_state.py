"""Snapshots: each scope reads what it needs, of every version that matters, and no role twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from permission_guard.aws.reads import READS
from permission_guard.aws.state import StateReader
from permission_guard.model import (
    Function,
    FunctionTarget,
    FunctionUrl,
    ManagedBy,
    ResourcePolicy,
    Role,
    Scope,
    Unread,
)
from permission_guard.triggers import Inventory
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

if TYPE_CHECKING:
    from permission_guard.aws.functions import FunctionReader
    from permission_guard.aws.inventories import InventoryReader
    from permission_guard.aws.organization import OrganizationReader
    from permission_guard.aws.roles import RoleReader
    from permission_guard.aws.source_policies import SourcePolicyReader
    from permission_guard.iam import Policy
    from permission_guard.model import EventSourceMapping

LIVE = f"{FUNCTION_ARN}:live"
OLD_ROLE = f"{ROLE_ARN}-of-version-1"


@dataclass
class Account:
    """Functions and roles in memory; `asked` has what was read."""

    functions: dict[str, Function | Unread]
    mapped: tuple[EventSourceMapping, ...] | Unread = ()
    roles: dict[str, Role | Unread] = field(default_factory=lambda: {ROLE_ARN: a_role(SQS_POLICY)})
    policies: dict[str, Policy | Unread] = field(default_factory=dict)
    resource: tuple[ResourcePolicy | Unread, ...] = (
        ResourcePolicy(FUNCTION_ARN, None, "r", a_policy(allow("lambda:*"))),
        DENIED,
    )
    buckets: tuple[str, ...] | Unread = ()
    tagged: dict[str, str] | Unread = field(default_factory=lambda: {"team": "orders"})
    asked: list[str] = field(default_factory=list)

    def function(self, arn: str) -> Function | Unread | None:
        self.asked.append(arn)
        return self.functions.get(arn)

    def mappings(self) -> dict[str, tuple[EventSourceMapping, ...]] | Unread:
        self.asked.append("mappings")
        return self.mapped if isinstance(self.mapped, Unread) else {FUNCTION_ARN: self.mapped}

    def policy(self, arn: str, function: FunctionTarget) -> Policy | Unread | None:
        self.asked.append(arn)
        return self.policies.get(arn)

    def resource_policies(self, target: FunctionTarget) -> tuple[ResourcePolicy | Unread, ...]:
        self.asked.append("resource policies")
        return self.resource

    def function_urls(self, target: FunctionTarget) -> tuple[FunctionUrl, ...] | Unread:
        self.asked.append("function URLs")
        return (FunctionUrl(None, "https://x.lambda-url.us-east-1.on.aws/", "NONE"),)

    def own_organization(self) -> str | Unread | None:
        self.asked.append("organization")
        return "o-exampleorgid"

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:
        self.asked.append(f"inventories since {not_before:g}")
        sources = self.buckets if isinstance(self.buckets, Unread) else frozenset(self.buckets)
        return (Inventory("s3", "s3.amazonaws.com", sources),)

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:
        self.asked.append(f"{arn} since {not_before:g}")
        return False

    def tags(self, target: FunctionTarget) -> dict[str, str] | Unread:
        return self.tagged

    def role(self, arn: str) -> Role | Unread | None:
        self.asked.append(arn)
        return self.roles.get(arn)

    @property
    def reader(self) -> StateReader:
        """Return what is tested, reading from here."""
        return StateReader(
            cast("FunctionReader", self),
            cast("RoleReader", self),
            cast("SourcePolicyReader", self),
            lambda: cast("InventoryReader", self),
            cast("OrganizationReader", self),
        )


def test_the_invoke_policy_scope_reads_the_policies_and_no_role() -> None:
    """What could not be read of them is in the snapshot."""
    account = Account({FUNCTION_ARN: a_function()})
    snapshot = account.reader.snapshot(TARGET, Scope.INVOKE_POLICY)
    assert account.asked == [FUNCTION_ARN, "resource policies", "inventories since 0"]
    assert len(snapshot.resource_policies) == 2
    assert snapshot.unread == (DENIED,)
    assert (snapshot.function_urls, snapshot.own_organization, snapshot.foreign_buckets) == (None, None, {})


def allowing(**condition: dict[str, str]) -> ResourcePolicy:
    """Return a policy with a condition."""
    return ResourcePolicy(FUNCTION_ARN, None, "r", a_policy(allow("lambda:InvokeFunction", Condition=condition)))


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}, ["function URLs"]),
        ({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}, ["function URLs"]),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, ["organization"]),
        ({"ForAnyValue:StringLike": {"AWS:SourceOrgPaths": "o-1/*"}}, ["organization"]),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::ours"}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::gone"}}, ["arn:aws:s3:::gone since 7"]),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::gone-*"}}, []),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:gone"}}, []),
    ],
)
def test_what_few_policies_speak_of_is_read_for_those_only(
    condition: dict[str, dict[str, str]], asked: list[str]
) -> None:
    """A sweep of many functions has few calls to spare for each."""
    account = Account({FUNCTION_ARN: a_function()}, resource=(allowing(**condition),), buckets=("arn:aws:s3:::ours",))
    snapshot = account.reader.snapshot(TARGET, Scope.INVOKE_POLICY, not_before=7.0)
    assert account.asked == [FUNCTION_ARN, "resource policies", "inventories since 7", *asked]
    assert snapshot.foreign_buckets == {arn.split()[0]: False for arn in asked if ":s3:" in arn}


def test_function_urls_are_read_where_a_statement_is_for_calls_by_url() -> None:
    """Also where no condition says so."""
    policy = ResourcePolicy(FUNCTION_ARN, None, "r", a_policy(allow("lambda:InvokeFunctionUrl")))
    account = Account({FUNCTION_ARN: a_function()}, resource=(policy,))
    assert account.reader.snapshot(TARGET, Scope.INVOKE_POLICY).function_urls
    assert account.asked[-1] == "function URLs"


def test_whether_a_bucket_exists_is_not_asked_where_one_s_own_are_not_known() -> None:
    """It may be among them."""
    policy = allowing(ArnLike={"aws:SourceArn": "arn:aws:s3:::gone"})
    account = Account({FUNCTION_ARN: a_function()}, resource=(policy,), buckets=DENIED)
    snapshot = account.reader.snapshot(TARGET, Scope.INVOKE_POLICY)
    assert snapshot.foreign_buckets == {}
    assert snapshot.unread == ()


def test_who_owns_a_function_is_told_by_the_tags_that_cloudformation_alone_may_set() -> None:
    """A tag of the same words by anybody else means nothing."""
    account = Account({FUNCTION_ARN: a_function()})
    assert account.reader.managed_by(TARGET) is None
    account.tagged = {"aws:cloudformation:stack-name": "shop", "team": "orders"}
    assert account.reader.managed_by(TARGET) == ManagedBy("cloudformation", "shop")
    account.tagged = THROTTLED
    assert account.reader.managed_by(TARGET) == THROTTLED


def test_the_execution_role_scope_reads_the_mappings_and_the_role() -> None:
    """The function itself is read once, also where a mapping names it."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(), a_mapping(uuid="second")))
    snapshot = account.reader.snapshot(TARGET, Scope.EXECUTION_ROLE)
    assert account.asked == [FUNCTION_ARN, "mappings", ROLE_ARN]
    assert set(snapshot.versions) == {FUNCTION_ARN}
    assert set(snapshot.roles) == {ROLE_ARN}
    assert snapshot.tags is None


def test_a_mapping_of_an_alias_is_read_with_the_role_of_its_version() -> None:
    """A published version keeps the role that it was published with."""
    live = Function(LIVE, "orders", OLD_ROLE)
    account = Account({FUNCTION_ARN: a_function(), LIVE: live}, (a_mapping(function_arn=LIVE),))
    snapshot = account.reader.snapshot(TARGET, Scope.EXECUTION_ROLE)
    assert snapshot.versions == {FUNCTION_ARN: a_function(), LIVE: live}
    assert snapshot.roles == {ROLE_ARN: a_role(SQS_POLICY), OLD_ROLE: None}


def test_a_function_that_is_gone_is_not_read_further() -> None:
    """One call tells it."""
    for scope in Scope:
        account = Account({})
        assert account.reader.snapshot(TARGET, scope).function is None
        assert account.asked == [FUNCTION_ARN]


def test_what_cannot_be_read_is_in_the_snapshot_and_nothing_is_raised() -> None:
    """The function, the mappings, a version: each stands where it would have stood."""
    account = Account({FUNCTION_ARN: THROTTLED}, DENIED)
    snapshot = account.reader.snapshot(TARGET, Scope.EXECUTION_ROLE)
    assert snapshot.function == THROTTLED
    assert snapshot.mappings == DENIED
    assert snapshot.roles == {}
    gone = Account({FUNCTION_ARN: a_function()}, (a_mapping(function_arn=LIVE),))
    assert gone.reader.snapshot(TARGET, Scope.EXECUTION_ROLE).versions[LIVE] is None


def test_a_role_is_read_once_for_all_functions_of_a_batch() -> None:
    """A role that does not exist too."""
    account = Account({FUNCTION_ARN: a_function(), OTHER.arn: a_function(OTHER)}, roles={})
    reader = account.reader
    for target in (TARGET, OTHER):
        assert reader.snapshot(target, Scope.EXECUTION_ROLE).roles == {ROLE_ARN: None}
    assert account.asked.count(ROLE_ARN) == 1


@pytest.mark.parametrize("mapped", [(a_mapping(),), (), DENIED])
def test_the_mappings_are_listed_once_for_all_functions_of_a_batch(
    mapped: tuple[EventSourceMapping, ...] | Unread,
) -> None:
    """Each function gets its own of them, and a list that could not be read is nobody's."""
    account = Account({FUNCTION_ARN: a_function(), OTHER.arn: a_function(OTHER)}, mapped)
    reader = account.reader
    assert reader.snapshot(TARGET, Scope.EXECUTION_ROLE).mappings == mapped
    assert reader.snapshot(OTHER, Scope.EXECUTION_ROLE).mappings == (mapped if mapped == DENIED else ())
    assert account.asked.count("mappings") == 1


def test_the_mappings_are_not_listed_before_a_snapshot_needs_them() -> None:
    """Else they could be older than the number of a look that rests on them."""
    account = Account({FUNCTION_ARN: a_function()})
    reader = account.reader
    reader.snapshot(OTHER, Scope.EXECUTION_ROLE)
    reader.snapshot(TARGET, Scope.INVOKE_POLICY)
    assert "mappings" not in account.asked


def test_a_source_is_asked_for_its_policy_where_the_role_s_policies_do_not_settle_it() -> None:
    """Once for two mappings; a source without a policy is in the snapshot as well."""
    own = a_policy(allow("sqs:*"))
    mapped = (a_mapping(), a_mapping(uuid="second"), a_mapping(f"{QUEUE_ARN}-2", uuid="third"))
    account = Account({FUNCTION_ARN: a_function()}, mapped, {ROLE_ARN: a_role()}, {QUEUE_ARN: own})
    snapshot = account.reader.snapshot(TARGET, Scope.EXECUTION_ROLE)
    assert snapshot.source_policies == {QUEUE_ARN: own, f"{QUEUE_ARN}-2": None}
    assert account.asked.count(QUEUE_ARN) == 1


@pytest.mark.parametrize(
    ("role", "more"),
    [
        (a_role(SQS_POLICY), {}),
        (None, {}),
        (THROTTLED, {}),
        (a_role(), {"source": "arn:aws:kafka:us-east-1:123456789012:cluster/c/1"}),
        (a_role(), {"state": "Disabled"}),
        (a_role(), {"function_arn": LIVE}),
    ],
)
def test_no_source_is_asked_for_nothing(role: Role | Unread | None, more: dict[str, str]) -> None:
    """Allowed, no role, not read, of another type, off on purpose, gone."""
    roles = {ROLE_ARN: role} if role else {}
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(**more),), roles)
    assert account.reader.snapshot(TARGET, Scope.EXECUTION_ROLE).source_policies == {}
    assert not [arn for arn in account.asked if arn.startswith(("arn:aws:sqs:", "arn:aws:kafka:"))]


def test_a_source_s_policy_is_tried_again_unless_it_was_denied() -> None:
    """Whoever denies has to change his mind: the message would come again for ever."""
    for unread, again in ((THROTTLED, (THROTTLED,)), (DENIED, ())):
        account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), {ROLE_ARN: a_role()}, {QUEUE_ARN: unread})
        snapshot = account.reader.snapshot(TARGET, Scope.EXECUTION_ROLE)
        assert snapshot.source_policies == {QUEUE_ARN: unread}
        assert snapshot.unread == again


def test_a_fix_reads_everything_afresh_and_the_tags_with_it() -> None:
    """What is remembered may be what the fix, or a person, has just changed."""
    account = Account({FUNCTION_ARN: a_function()}, (a_mapping(),), {ROLE_ARN: a_role()})
    reader = account.reader
    for _ in range(2):
        snapshot = reader.snapshot_for_fix(TARGET, Scope.EXECUTION_ROLE)
        assert snapshot.tags == {"team": "orders"}
    assert [account.asked.count(what) for what in (ROLE_ARN, "mappings", QUEUE_ARN)] == [2, 2, 2]


def test_every_scope_says_what_it_reads() -> None:
    """The roles in template.yaml are held to it."""
    assert set(READS) == set(Scope)
    for actions in READS.values():
        assert actions
        assert all(action.split(":")[1].startswith(("Get", "List", "Describe", "GET")) for action in actions)
