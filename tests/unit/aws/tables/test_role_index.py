"""The index of roles to functions: updated by checks, rebuilt by the sweep, and used only once it is complete."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from permission_guard.aws.tables import role_index
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.errors import DeliveryError
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.model.targets import Direction, FunctionTarget, RoleTarget
from tests.fakes import ACCOUNT, NOW, OTHER, ROLE_TARGET, TARGET
from tests.stack_tables import TABLE, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.aws.readers.functions import FunctionReader

ANOTHER = RoleTarget(ACCOUNT, "another+role=of@somebody")


@dataclass
class Functions:
    """The functions of the account, each with its role."""

    roles: dict[FunctionTarget, RoleTarget] = field(default_factory=dict)
    listed: int = 0

    def roles_of_functions(self) -> Iterator[tuple[FunctionTarget, RoleTarget]]:
        self.listed += 1
        return iter(self.roles.items())


@dataclass
class Account:
    """A findings table and functions."""

    client: DynamoDBClient
    functions: Functions = field(default_factory=Functions)

    @property
    def index(self) -> RoleIndex:
        """The index under test, as in a new execution environment."""
        return RoleIndex(self.client, TABLE_NAME, cast("FunctionReader", self.functions))

    def check(self, target: FunctionTarget, *roles: RoleTarget) -> None:
        """Commit a check of a function that runs with these roles."""
        table = FindingsTable(self.client, TABLE_NAME)
        run = table.start_check(target, Direction.EXECUTION_ROLE)
        checkpoint = Checkpoint(frozenset(roles))
        assert table.commit_check(target, Direction.EXECUTION_ROLE, run, checkpoint, changes=(), unknowns=(), now=NOW)


@pytest.fixture
def account(moto_account: None) -> Account:
    """Return an account with an empty table."""
    client = boto3.client("dynamodb")
    client.create_table(**TABLE)
    return Account(client)


def test_functions_are_listed_until_the_sweep_has_completed_the_index(account: Account) -> None:
    """Checks have written only the functions that they saw."""
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: ROLE_TARGET}
    account.check(TARGET, ROLE_TARGET)
    assert not account.index.is_complete
    index = account.index
    for _ in range(3):
        assert index.functions_of_roles([ROLE_TARGET, ANOTHER]) == {ROLE_TARGET: (OTHER, TARGET), ANOTHER: ()}
    assert account.functions.listed == 1


def test_functions_are_not_listed_once_the_index_is_complete(account: Account) -> None:
    """One query finds the functions of one or several roles."""
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: ANOTHER}
    assert account.index.rebuild() == ((TARGET, OTHER), ())
    assert account.index.is_complete
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}
    unused = RoleTarget(ACCOUNT, "unused")
    found = account.index.functions_of_roles([ROLE_TARGET, ANOTHER, unused])
    assert found == {ROLE_TARGET: (TARGET,), ANOTHER: (OTHER,), unused: ()}
    assert account.functions.listed == 1


def test_the_role_of_a_version_is_known_from_its_check(account: Account) -> None:
    """The list of functions does not have it, and a sweep does not remove it."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    account.check(TARGET, ROLE_TARGET, ANOTHER)
    account.index.rebuild()
    assert account.index.functions_of_roles([ANOTHER]) == {ANOTHER: (TARGET,)}


def test_the_sweep_removes_a_function_whose_deletion_caused_no_event(account: Account) -> None:
    """Lambda no longer lists the function."""
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: ROLE_TARGET}
    account.index.rebuild()
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}


def test_a_deleted_function_that_was_checked_is_removed_by_a_check(account: Account) -> None:
    """Its checkpoint has the role, so a recreated function with the same role would not be added again."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    account.check(TARGET, ROLE_TARGET)
    account.functions.roles = {}
    assert account.index.rebuild() == ((), (TARGET,))
    account.check(TARGET, ROLE_TARGET)  # the function was recreated with the same role
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}
    account.check(TARGET)
    assert account.index.rebuild() == ((), ())
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: ()}


def test_the_sweep_removes_the_old_role_of_a_function_that_changed_it_before_its_first_check(
    account: Account,
) -> None:
    """No check has seen the old role: the sweep added it, so the sweep removes it."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    account.functions.roles = {TARGET: ANOTHER}
    account.check(TARGET, ANOTHER)
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET, ANOTHER]) == {ROLE_TARGET: (), ANOTHER: (TARGET,)}


def test_the_sweep_keeps_an_entry_that_a_check_confirms_meanwhile(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is newer: it may have seen the role of a version."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    moved = {TARGET: ANOTHER}

    def list_late() -> Iterator[tuple[FunctionTarget, RoleTarget]]:
        account.check(TARGET, ROLE_TARGET, ANOTHER)
        return iter(moved.items())

    monkeypatch.setattr(account.functions, "roles_of_functions", list_late)
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}


def test_a_function_that_returns_to_a_role_is_in_the_index_again(account: Account) -> None:
    """An entry that was to expire is kept again."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    for roles, expected in [((ROLE_TARGET,), (TARGET,)), ((), ()), ((ROLE_TARGET,), (TARGET,))]:
        account.check(TARGET, *roles)
        assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: expected}


def test_a_role_whose_name_begins_like_another_has_its_own_entries(account: Account) -> None:
    """The query reads only the entries of one role."""
    longer = replace(ROLE_TARGET, name=f"{ROLE_TARGET.name}-2")
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: longer}
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}


def test_more_entries_than_fit_a_call_are_all_written_and_a_second_sweep_writes_none(account: Account) -> None:
    """A sweep of an unchanged account only reads the index and marks it complete."""
    account.functions.roles = {replace(TARGET, name=f"function-{number}"): ROLE_TARGET for number in range(120)}
    account.index.rebuild()
    assert len(account.index.functions_of_roles([ROLE_TARGET])[ROLE_TARGET]) == 120
    calls: list[str] = []
    account.client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    account.index.rebuild()
    assert calls == ["Query", "PutItem"]


def test_unprocessed_items_are_retried_and_finally_an_error(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep then fails, and Lambda retries it."""
    monkeypatch.setattr(role_index, "_TRIES", 2)
    account.functions.roles = {TARGET: ROLE_TARGET}
    with Stubber(account.client) as stubber:
        stubber.add_response("query", {"Items": []})
        left: Any = {TABLE_NAME: [{"PutRequest": {"Item": role_index.entry_of(ROLE_TARGET, TARGET)}}]}
        for _ in range(2):
            stubber.add_response("batch_write_item", {"UnprocessedItems": left})
        with pytest.raises(DeliveryError, match="did not write 1 entries"):
            account.index.rebuild()
        stubber.assert_no_pending_responses()
