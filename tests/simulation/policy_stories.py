"""The stories of fixes of resource-based policies, and of their undo: never is a source denied that invokes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.fixes.invoke_policies import OWN_SIDS, digest_of
from permission_guard.model.findings import FixResult, Status, Transition
from tests.fakes import ACCOUNT
from tests.simulation.account import OF_POLICIES, function_arn
from tests.simulation.decisions import undo
from tests.simulation.environments import app
from tests.simulation.fix_stories import A_WHILE, FUNCTION, FixStory
from tests.simulation.story import maintain, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.findings import Finding
    from tests.simulation.calls import Call
    from tests.simulation.environments import Invocation
    from tests.simulation.policy_problems import PolicyProblem
    from tests.simulation.world import Answer, World


_ARN: Final = function_arn(FUNCTION)


@dataclass(frozen=True, slots=True)
class HeldPolicy:
    """What a fix changes: the digests of the statements that others wrote, and how many the bot has written."""

    others: frozenset[str]
    own: int


class PolicyStory(FixStory):
    """The story of a problem of a policy. It ends with the policy of the plan, or exactly as before."""

    def __init__(self, world: World, problem: Any) -> None:
        super().__init__(world, problem)
        self.of_policy: PolicyProblem = problem
        self._unfixed: Any = None
        self._fixed: Any = None

    @property
    def statements(self) -> list[dict[str, Any]]:
        """The statements of the policy now."""
        return list(self.world.account.functions[FUNCTION].statements.values())

    @property
    def held(self) -> Any:
        """The policy now."""
        own = [one for one in self.statements if one["Sid"].startswith(OWN_SIDS)]
        return HeldPolicy(frozenset(digest_of(one) for one in self.statements if one not in own), len(own))

    @property
    def goal(self) -> Any:
        """The policy of the plan."""
        return self._fixed

    def begin(self) -> None:
        """Create a function whose policy has the problem."""
        world = self.world
        if self.of_policy.replaces:
            app("apply_fix").os.environ["ATOMIC_NARROWING"] = "true"
        sweep(world)
        world.run_until_quiet()
        maintain(world)
        world.run_until_quiet()
        self.create()
        self.of_policy.need(world.account, FUNCTION)
        self._unfixed = self.held
        assert not self.of_policy.is_allowed or not list(self._denied(self.statements)), "a source is denied"
        assert all(one.is_allowed(self.statements, _ARN) for one in self.of_policy.strangers), "a stranger is denied"
        self._fixed = HeldPolicy(self.of_policy.kept(self.statements), self.of_policy.added)
        world.count_anew()

    def _broken(self, finding: Finding) -> Iterator[str]:
        applied = [one.revision for one in finding.history if one.transition is Transition.FIX_APPLIED]
        fix = finding.fix
        if self.held == self._fixed:
            if len(applied) != 1 or fix is None or fix.result is not FixResult.APPLIED:
                yield f"the policy is fixed, and the fix is recorded as {fix and fix.result}, {len(applied)} times"
            yield from self.broken_alerts(finding, applied, "applied fix")
            yield from self._wrongly_allowed()
        elif self.held != self._unfixed:
            yield f"a part of the fix is applied: {self.statements}"
        elif applied or (fix is not None and fix.result in (FixResult.APPLIED, FixResult.APPLYING)):
            yield f"the policy is as before, and the fix is recorded as {fix and fix.result}"
        yield from self.broken_policies()

    def _denied(self, statements: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield the calls of the sources that a policy does not certainly allow."""
        for source in self.of_policy.sources:
            yield from (one.words for one in source.callers if not one.is_allowed(statements, _ARN))

    def _wrongly_allowed(self) -> Iterator[str]:
        """Yield what the fixed policy allows or denies that it should not."""
        for words in self._denied(self.statements):
            yield f"the policy is fixed, and {words} is denied"
        for one in self.of_policy.strangers:
            if not one.is_denied(self.statements, _ARN):
                yield f"the policy is fixed, and {one.words} is allowed"

    def broken_policies(self) -> Iterator[str]:
        """Yield what is wrong with the calls that changed the policy: each once, and never is a source denied."""
        for words, times in Counter(map(str, self.world.seen.writes)).items():
            if times > 1:
                yield f"{words} {times} times"
        if self.of_policy.is_allowed:
            for number, statements in enumerate(self.world.account.policies_written, start=1):
                for words in self._denied(statements):
                    yield f"after change {number} of the policy, {words} is denied"
        for one in self.world.seen.writes:
            before = one.plan.before if one.plan else {}
            recorded = [each for name in ("statements", "other_statements") for each in before.get(name, ())]
            if before and {digest_of(each) for each in recorded} != self._was():
                yield f"the recorded policy before the fix is {before}"

    def _was(self) -> set[str]:
        return set(self._unfixed.others)


class PolicyUndoStory(PolicyStory):
    """The story of the undo of such a fix: it ends exactly as before the fix, which is not applied again.

    An undo for which the bot had to write a statement that it may not write is refused, and changes nothing.
    """

    def __init__(self, world: World, problem: Any) -> None:
        super().__init__(world, problem)
        self._writes_before = 0

    @property
    def goal(self) -> Any:
        """The policy before the fix, or the fixed one if the bot cannot undo it."""
        return self._unfixed if self.of_policy.is_undone else self._fixed

    def begin(self) -> None:
        """Let the fix be applied."""
        super().begin()
        super().go_on()
        assert self.held == self._fixed, f"{self.of_policy.words}: the fix was not applied: {self.statements}"
        self._writes_before = len(self.world.seen.writes)
        self.world.count_anew()

    def propose(self) -> None:
        """There is nothing to propose: the request starts the undo."""

    def go_on(self) -> None:
        """Let a person request the undo, and then the sweep hand over the finding that is open again."""
        world = self.world
        undo(world)
        world.run_until_quiet()
        world.advance_to(world.now + A_WHILE)
        sweep(world)
        world.run_until_quiet()
        maintain(world)
        world.run_until_quiet()

    def _broken(self, finding: Finding) -> Iterator[str]:
        undone = [one.revision for one in finding.history if one.transition is Transition.FIX_UNDONE]
        fix = finding.fix
        if self.held == self._unfixed:
            if len(undone) != 1 or fix is None or fix.result is not FixResult.UNDONE:
                yield f"the policy is as before, and the fix is recorded as {fix and fix.result}, {len(undone)} times"
            if finding.status is not Status.OPEN:
                yield f"the policy is as before the fix, and the finding is {finding.status}"
            yield from self.broken_alerts(finding, undone, "undo")
        elif self.held != self._fixed:
            yield f"a part of the fix is undone: {self.statements}"
        elif undone or fix is None or fix.result is not FixResult.APPLIED:
            yield f"the policy is fixed, and the fix is recorded as {fix and fix.result}"
        elif not self.of_policy.is_undone:
            yield from self._broken_refusal(finding)
        yield from self.broken_policies()
        for one in self.world.seen.writes[self._writes_before :]:
            if not one.is_undo:
                yield f"after the request, {one}"

    def _broken_refusal(self, finding: Finding) -> Iterator[str]:
        refused = [one.revision for one in finding.history if one.transition is Transition.FIX_REFUSED]
        undo_record = finding.fix.undo_record if finding.fix else None
        if len(refused) != 1 or undo_record is None or not undo_record.summary:
            yield f"the undo was refused {len(refused)} times: {undo_record}"
        yield from self.broken_alerts(finding, refused, "refused undo")


class OtherWriterStory(PolicyStory):
    """A person adds a statement between the last reading of the policy and the fix's first change of it.

    The statement is kept: AWS rejects the change, which names the revision that was read. A person approves the plan
    for the new policy.
    """

    _ADDED: Final = {
        "StatementId": "meanwhile",
        "Principal": "logs.amazonaws.com",
        "Action": "lambda:InvokeFunction",
        "SourceAccount": ACCOUNT,
    }
    _is_added = False

    @property
    def goal(self) -> Any:
        """The policy of the plan, with the statement of the other writer."""
        added = (digest_of(one) for one in self.statements if one["Sid"] == self._ADDED["StatementId"])
        return HeldPolicy(self._fixed.others | {*added}, self._fixed.own)

    def go_on(self) -> None:
        """Let the fix be interrupted, and a person approve what is proposed then."""
        self.world.interrupt = self._add
        super().go_on()
        super().go_on()

    def _add(self, _by: Invocation, call: Call, answer: Answer) -> dict[str, Any]:
        if call.operation in OF_POLICIES and not self._is_added:
            self._is_added = True
            self.world.account.permit_as(FUNCTION, self._ADDED)
        return answer(call)

    def _broken(self, finding: Finding) -> Iterator[str]:
        for number, statements in enumerate(self.world.account.policies_written, start=1):
            yield from (f"after change {number} of the policy, {words} is denied" for words in self._denied(statements))
            if self._ADDED["StatementId"] not in {one["Sid"] for one in statements}:
                yield f"after change {number} of the policy, the statement of the other writer is lost"
        if self.held == self.goal and (finding.fix is None or finding.fix.result is not FixResult.APPLIED):
            yield f"the policy is fixed, and the fix is recorded as {finding.fix and finding.fix.result}"
        yield from self._wrongly_allowed()
