"""The sweep requests checks of existing functions and of deleted ones with records, and hands open findings over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from permission_guard.errors import DeliveryError
from permission_guard.model.arns import role_target
from permission_guard.model.findings import Status, Transition
from permission_guard.model.targets import NamedRole
from permission_guard.sweep.sweep import Outcome, Receiver, Sweep, Sweeper
from tests.fakes import OTHER, ROLE_ARN, TARGET, a_finding
from tests.unit.sweep.account import Account, Cursors, Queue, not_first, plenty_of_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import FunctionTarget, RoleTarget


def sweep(account: Account, *queues: Queue) -> Sweep:
    """Run a whole sweep."""
    requests = [queue.request for queue in queues]
    sweeper = Sweeper(account, account, requests, [account.receiver], Cursors(), is_baseline=not_first)
    swept = sweeper.run(plenty_of_time, start=True)
    assert swept.outcome is Outcome.COMPLETE
    return swept


def numbers(swept: Sweep) -> tuple[int, int, int]:
    """Return how many existing and deleted functions and open findings a run handled."""
    return swept.functions, swept.deleted, swept.open_findings


def test_every_function_is_requested_from_every_checker() -> None:
    """Both queues get the same functions."""
    first, second = Queue(), Queue()
    assert numbers(sweep(Account([TARGET, OTHER]), first, second)) == (2, 0, 0)
    assert first == second == [OTHER, TARGET]


def test_a_deleted_function_with_an_open_finding_is_checked() -> None:
    """The event of its deletion was lost; the check resolves the finding."""
    queue = Queue()
    assert numbers(sweep(Account([TARGET], [OTHER]), queue)) == (1, 1, 0)
    assert queue == [OTHER, TARGET]


def test_a_deleted_function_of_the_role_index_is_checked() -> None:
    """The check removes it from the index. If it also has an open finding, it is requested once."""
    queue = Queue()
    assert numbers(sweep(Account([TARGET], [OTHER], deleted_in_index=[OTHER]), queue)) == (1, 1, 0)
    assert queue == [OTHER, TARGET]


def test_each_function_is_requested_once() -> None:
    """Pages of a list can overlap, and an existing function can have findings."""
    queue = Queue()
    assert numbers(sweep(Account([TARGET, TARGET], [TARGET]), queue)) == (1, 0, 0)
    assert queue == [TARGET]


def test_the_sweep_of_an_empty_account_succeeds() -> None:
    """No check is requested."""
    queue = Queue()
    assert numbers(sweep(Account([]), queue)) == (0, 0, 0)
    assert queue == []


def test_a_queue_error_fails_the_sweep() -> None:
    """Lambda retries it; repeated requests do no harm."""

    def fail(targets: Iterable[FunctionTarget], *, baseline: bool) -> int:
        raise DeliveryError("SQS denied the call")

    account = Account([TARGET])
    with pytest.raises(DeliveryError):
        Sweeper(account, account, [fail], [], Cursors(), is_baseline=not_first).run(plenty_of_time, start=True)


def test_the_first_sweep_says_so_in_every_request() -> None:
    """What its checks find goes to one digest. The sweep is asked before the index is rebuilt."""
    queue, account, asked = Queue(), Account([TARGET]), list[str]()
    account.watch = lambda: asked.append("index")

    def is_baseline() -> bool:
        asked.append("first?")
        return True

    Sweeper(account, account, [queue.request], [], Cursors(), is_baseline=is_baseline).run(plenty_of_time, start=True)
    assert queue.baseline == [True]
    assert asked[:2] == ["first?", "index"]


def test_open_findings_are_handed_over() -> None:
    """A channel or fix mode that was enabled later handles them. Of the others, nothing was missed."""
    still_open, resolved = a_finding(), a_finding(id="resolved", status=Status.RESOLVED)
    suppressed = a_finding(id="suppressed", status=Status.SUPPRESSED)
    account = Account([TARGET], [TARGET], {TARGET: [still_open, resolved, suppressed]})
    assert sweep(account, Queue()).open_findings == 1
    assert account.handed_over == [still_open]


def test_the_findings_of_several_functions_are_handed_over_together() -> None:
    """One request takes ten messages."""
    account = Account([TARGET, OTHER], [TARGET, OTHER], {TARGET: [a_finding(id="a")], OTHER: [a_finding(id="b")]})
    sweep(account)
    assert [[finding.id for finding in batch] for batch in account.batches] == [["b", "a"]]


def test_a_receiver_gets_only_the_transitions_that_it_acts_on() -> None:
    """Each message costs an invocation."""
    got: dict[str, list[str]] = {"all": [], "opened": []}
    opened, refused = a_finding(id="opened"), a_finding(id="refused", transition=Transition.FIX_REFUSED)
    account = Account([TARGET], [TARGET], {TARGET: [opened, refused]})
    receivers = [
        Receiver("all", frozenset(Transition), lambda found: got["all"].extend(one.id for one in found)),
        Receiver("opened", {Transition.OPENED}, lambda found: got["opened"].extend(one.id for one in found)),
    ]
    Sweeper(account, account, [], receivers, Cursors(), is_baseline=not_first).run(plenty_of_time, start=True)
    assert got == {"all": ["opened", "refused"], "opened": ["opened"]}


def test_a_receiver_that_cannot_be_reached_does_not_keep_the_others_back() -> None:
    """The result names it, and a finding that cannot be read."""
    account = Account([TARGET], [TARGET], {TARGET: [a_finding()]}, unreadable={TARGET: ["future"]})

    def fail(findings: Iterable[Finding]) -> None:
        raise DeliveryError("SQS denied the call")

    broken = Receiver("open_ticket", frozenset(Transition), fail)
    sweeper = Sweeper(account, account, [], [broken, account.receiver], Cursors(), is_baseline=not_first)
    swept = sweeper.run(plenty_of_time, start=True)
    assert account.handed_over == [a_finding()]
    assert swept.failures == ("future: cannot be read", "open_ticket: DeliveryError: SQS denied the call")


def test_a_function_whose_findings_cannot_be_listed_does_not_keep_the_others_back() -> None:
    """The result names it."""
    account = Account([TARGET, OTHER], [TARGET, OTHER], {OTHER: [a_finding()]})
    account.findings[TARGET] = Raising()
    swept = sweep(account)
    assert account.handed_over == [a_finding()]
    assert swept.failures == (f"{TARGET.arn}: ConnectionError: no answer",)


def test_a_finding_about_a_role_is_handed_over_while_a_function_uses_the_role() -> None:
    """No check of a role is requested: a check of its function is."""
    about = a_finding(id="role", function_arn="", role_arn=ROLE_ARN)
    role, queue = NamedRole(ROLE_ARN), Queue()
    account = Account([TARGET], [role], {role: [about]}, users={role_target(ROLE_ARN): (TARGET,)})
    assert sweep(account, queue).open_findings == 1
    assert (account.handed_over, account.changes, queue) == ([about], [], [TARGET])


@pytest.mark.parametrize("status", [Status.OPEN, Status.SUPPRESSED])
def test_the_findings_about_a_role_that_no_function_uses_are_resolved(status: Status) -> None:
    """The event of the last function's deletion was lost, and no check of a function reads them."""
    role = NamedRole(ROLE_ARN)
    about = [
        a_finding(id="role", function_arn="", role_arn=ROLE_ARN, status=status),
        a_finding(id="resolved", function_arn="", role_arn=ROLE_ARN, status=Status.RESOLVED),
    ]
    account = Account([TARGET], [role], {role: about})
    assert sweep(account).failures == ()
    (change,) = account.changes
    assert (change.finding.id, change.finding.status) == ("role", Status.RESOLVED)
    assert (change.finding.resolution, change.expected_revision) == ("No function uses the role.", 1)
    assert account.handed_over == []


def test_findings_about_a_role_are_kept_while_the_index_cannot_be_read() -> None:
    """Unknown is not unused."""
    role = NamedRole(ROLE_ARN)
    about = a_finding(function_arn="", role_arn=ROLE_ARN)
    account = Account([TARGET], [role], {role: [about]})

    def fail(roles: Iterable[RoleTarget]) -> dict[RoleTarget, tuple[FunctionTarget, ...]]:
        raise ConnectionError("no answer")

    account.functions_of_roles = fail  # type: ignore[method-assign]
    swept = sweep(account)
    assert (account.changes, account.handed_over) == ([], [about])
    assert swept.failures == ("the index of roles: ConnectionError: no answer",)


class Raising(list["Finding"]):
    """A list that cannot be read."""

    def __iter__(self) -> Iterator[Finding]:
        raise ConnectionError("no answer")
