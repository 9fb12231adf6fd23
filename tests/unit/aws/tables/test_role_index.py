"""The index of roles to functions: kept by looks, rebuilt by the sweep, and not believed before it is whole."""

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
from tests.fakes import ACCOUNT, NOW, OTHER, ROLE_TARGET, TABLE, TABLE_NAME, TARGET

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
    """A table, and functions."""

    client: DynamoDBClient
    functions: Functions = field(default_factory=Functions)

    @property
    def index(self) -> RoleIndex:
        """What is tested, as a new execution environment has it."""
        return RoleIndex(self.client, TABLE_NAME, cast("FunctionReader", self.functions))

    def look(self, target: FunctionTarget, *roles: RoleTarget) -> None:
        """Record a look at a function that runs with some roles."""
        table = FindingsTable(self.client, TABLE_NAME)
        run = table.start_check(target, Direction.EXECUTION_ROLE)
        checkpoint = Checkpoint(frozenset(roles))
        assert table.commit_check(target, Direction.EXECUTION_ROLE, run, checkpoint, changes=(), unknowns=(), now=NOW)


@pytest.fixture
def account(moto_account: None) -> Account:
    """Return an account with a table that nothing was written to."""
    client = boto3.client("dynamodb")
    client.create_table(**TABLE)
    return Account(client)


def test_until_the_sweep_has_filled_it_the_functions_are_listed(account: Account) -> None:
    """What looks have written so far is not all there is."""
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: ROLE_TARGET}
    account.look(TARGET, ROLE_TARGET)
    assert not account.index.is_complete
    index = account.index
    for _ in range(3):
        assert index.functions_of_roles([ROLE_TARGET, ANOTHER]) == {ROLE_TARGET: (OTHER, TARGET), ANOTHER: ()}
    assert account.functions.listed == 1


def test_once_it_is_whole_nobody_lists_the_functions(account: Account) -> None:
    """One query finds them, of one role or of several."""
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: ANOTHER}
    assert account.index.rebuild() == ((TARGET, OTHER), ())
    assert account.index.is_complete
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}
    nobody = RoleTarget(ACCOUNT, "nobody")
    found = account.index.functions_of_roles([ROLE_TARGET, ANOTHER, nobody])
    assert found == {ROLE_TARGET: (TARGET,), ANOTHER: (OTHER,), nobody: ()}
    assert account.functions.listed == 1


def test_the_role_of_a_version_is_known_from_the_look_that_saw_it(account: Account) -> None:
    """The list of functions does not tell it, and a sweep does not forget it."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    account.look(TARGET, ROLE_TARGET, ANOTHER)
    account.index.rebuild()
    assert account.index.functions_of_roles([ANOTHER]) == {ANOTHER: (TARGET,)}


def test_a_function_whose_deletion_was_never_told_goes_with_the_sweep(account: Account) -> None:
    """It is not listed any more."""
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: ROLE_TARGET}
    account.index.rebuild()
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}


def test_a_deleted_function_that_a_look_has_seen_is_left_to_a_look(account: Account) -> None:
    """Its notes have the role: a function of the same name and role would not be put in anew."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    account.look(TARGET, ROLE_TARGET)
    account.functions.roles = {}
    assert account.index.rebuild() == ((), (TARGET,))
    account.look(TARGET, ROLE_TARGET)  # it was made again, with the same role
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}
    account.look(TARGET)
    assert account.index.rebuild() == ((), ())
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: ()}


def test_a_function_whose_role_was_changed_before_its_first_look_is_not_with_the_old_one_for_ever(
    account: Account,
) -> None:
    """No look knows of the old role: the sweep that put it in takes it out."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    account.functions.roles = {TARGET: ANOTHER}
    account.look(TARGET, ANOTHER)
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET, ANOTHER]) == {ROLE_TARGET: (), ANOTHER: (TARGET,)}


def test_an_entry_that_a_look_confirms_while_the_sweep_takes_it_out_stays(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look saw it later: of a version, say."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    moved = {TARGET: ANOTHER}

    def list_late() -> Iterator[tuple[FunctionTarget, RoleTarget]]:
        account.look(TARGET, ROLE_TARGET, ANOTHER)
        return iter(moved.items())

    monkeypatch.setattr(account.functions, "roles_of_functions", list_late)
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}


def test_a_function_that_comes_back_to_a_role_is_there_again(account: Account) -> None:
    """What was over is not for ever."""
    account.functions.roles = {TARGET: ROLE_TARGET}
    account.index.rebuild()
    for roles, expected in [((ROLE_TARGET,), (TARGET,)), ((), ()), ((ROLE_TARGET,), (TARGET,))]:
        account.look(TARGET, *roles)
        assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: expected}


def test_a_role_whose_name_begins_like_another_s_is_not_taken_for_it(account: Account) -> None:
    """Of one role only its own entries are read."""
    longer = replace(ROLE_TARGET, name=f"{ROLE_TARGET.name}-2")
    account.functions.roles = {TARGET: ROLE_TARGET, OTHER: longer}
    account.index.rebuild()
    assert account.index.functions_of_roles([ROLE_TARGET]) == {ROLE_TARGET: (TARGET,)}


def test_more_entries_than_a_call_takes_are_all_written_and_a_second_sweep_writes_none(account: Account) -> None:
    """A sweep of an account in which nothing has changed reads the index, and that is all."""
    account.functions.roles = {replace(TARGET, name=f"function-{number}"): ROLE_TARGET for number in range(120)}
    account.index.rebuild()
    assert len(account.index.functions_of_roles([ROLE_TARGET])[ROLE_TARGET]) == 120
    calls: list[str] = []
    account.client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    account.index.rebuild()
    assert calls == ["Query", "PutItem"]


def test_what_dynamodb_leaves_undone_is_done_again_and_at_last_an_error(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the sweep fails, and Lambda tries it again."""
    monkeypatch.setattr(role_index, "_TRIES", 2)
    account.functions.roles = {TARGET: ROLE_TARGET}
    with Stubber(account.client) as stubber:
        stubber.add_response("query", {"Items": []})
        left: Any = {TABLE_NAME: [{"PutRequest": {"Item": role_index.entry_of(ROLE_TARGET, TARGET)}}]}
        for _ in range(2):
            stubber.add_response("batch_write_item", {"UnprocessedItems": left})
        with pytest.raises(DeliveryError, match="did not take 1 entries"):
            account.index.rebuild()
        stubber.assert_no_pending_responses()
