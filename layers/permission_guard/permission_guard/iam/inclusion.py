"""Whether everything that a statement allows is allowed by others: exactly, or it is undecided.

A statement is the product of its principals, actions, resources and the conditions on each key. It is split into parts
with one principal each. What the first covering statement does not cover of a part is split again, until nothing is
left or a part is found that no statement covers. Statements with policy variables or invalid elements are compared by
their text only.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product

from permission_guard.iam.arn import account_of
from permission_guard.iam.key_tests import KeyTest, Reading, samples_of, satisfiable
from permission_guard.iam.languages import Budget, Language, TooLargeError, exists
from permission_guard.iam.principals import ANYONE
from permission_guard.iam.statement_parts import Compiled, Literal, Texts, compiled, is_unclear
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

    from permission_guard.iam.statement_parts import Test
    from permission_guard.iam.statements import Statement

MOST_PARTS: Final = 4096
"""The most parts into which the lists of one statement are split."""
MOST_STEPS: Final = 80_000
"""The most steps, of about a microsecond, of all decisions in one workspace: they take less than 200 ms."""
_NEW: Final = 20
"""The steps in which conditions on one key are prepared that were not compared before."""


class Answer(StrEnum):
    """Whether the statements allow everything."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@record
class Included:
    """The answer for one statement, and the reason if it is not yes, as a clause without a period."""

    answer: Answer
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether the answer is yes."""
        return self.answer is Answer.YES


_YES: Final = Included(Answer.YES)


class Workspace:
    """What several decisions share: each statement is compiled once, each comparison is made once, all steps count."""

    __slots__ = ("_compiled", "_tests", "budget", "known")

    def __init__(self) -> None:
        self._tests: dict[object, Test] = {}
        self._compiled: dict[int, tuple[Statement, Compiled]] = {}
        self.known: dict[Reading, dict[frozenset[Literal], bool]] = {}
        self.budget = Budget(MOST_STEPS)

    @property
    def is_exhausted(self) -> bool:
        """Whether a decision would have taken more steps than all of them may."""
        return self.budget.is_exhausted

    def compiled(self, statement: Statement) -> Compiled:
        """Return a statement in parts."""
        found = self._compiled.get(id(statement))
        if found is None:
            found = self._compiled[id(statement)] = statement, compiled(statement, self._tests)
        return found[1]


class Inclusion:
    """Some statements that allow, and others that deny: decides what of another statement neither covers.

    A statement that denies covers what it denies: a request that both sides deny is allowed by neither.
    """

    def __init__(
        self, allowing: Iterable[Statement], denying: Iterable[Statement] = (), workspace: Workspace | None = None
    ) -> None:
        self._workspace = workspace or Workspace()
        self._covers = [self._workspace.compiled(each) for each in (*allowing, *denying)]
        self._identities = {each.identity for each in self._covers if not each.denies}

    def leave_out(self, statement: Statement) -> None:
        """Do without one of the statements from now on."""
        own = self._workspace.compiled(statement)
        self._covers = [each for each in self._covers if each is not own]

    def is_redundant(self, statement: Statement) -> bool:
        """Return whether one of the statements allows nothing that the others do not allow."""
        own = self._workspace.compiled(statement)
        others = [each for each in self._covers if each is not own]
        return any(each.identity == own.identity for each in others) or self._decide(own, others).holds

    def decide(self, statement: Statement) -> Included:
        """Return whether everything that the statement allows is covered."""
        part = self._workspace.compiled(statement)
        return _YES if part.identity in self._identities else self._decide(part, self._covers)

    def _decide(self, part: Compiled, covers: Sequence[Compiled]) -> Included:
        if part.problem:
            return Included(Answer.UNDECIDED, part.problem)
        answers = [self._in_reading(part, covers, reading) for reading in _readings(part, *covers)]
        if all(each.holds for each in answers):
            return _YES
        if all(each.answer is Answer.NO for each in answers):
            return answers[0]
        return next(
            (each for each in answers if each.answer is Answer.UNDECIDED),
            Included(Answer.UNDECIDED, "AWS does not document how it compares some of the values"),
        )

    def _in_reading(self, part: Compiled, covers: Sequence[Compiled], reading: Reading) -> Included:
        try:
            return self._decided(part, covers, reading)
        except TooLargeError:
            return Included(Answer.UNDECIDED, "too much would have to be compared")
        except ValueError as error:
            return Included(Answer.UNDECIDED, str(error))

    def _decided(self, part: Compiled, covers: Sequence[Compiled], reading: Reading) -> Included:
        account, principals = _owner(part), sum(len(each.principals) for each in covers)
        for entry in part.principals:
            self._workspace.budget.spend(3 * principals)
            found = [(each, each.covers(entry, account)) for each in covers]
            candidates = [each for each, covered in found if covered and not each.problem]
            doubtful = is_unclear(entry) or any(
                covered is None or (each.problem != "" and covered) for each, covered in found
            )
            search = _Search(candidates, reading, self._workspace)
            who = "every caller" if entry == ANYONE else entry[1] or "the role"
            left = next(filter(search.uncovered, _boxes(part)), None)
            if left is not None:
                if doubtful or search.is_opaque(left):
                    return Included(Answer.UNDECIDED, f"what it allows {who} is not compared exactly")
                return Included(Answer.NO, f"some of what it allows {who} is not allowed there")
        return _YES


def _readings(*parts: Compiled) -> Iterator[Reading]:
    """Yield the readings of what AWS does not document, as far as statements depend on it."""
    names = sorted({doubt for part in parts for doubt in part.doubts})
    for values in product((False, True), repeat=len(names)):
        yield Reading(**dict(zip(names, values, strict=True)))


def _owner(part: Compiled) -> str:
    """Return the account of the resources of a statement, empty if they name none or several."""
    accounts = {account_of(text) or "" for text in part.resources}
    account = accounts.pop() if len(accounts) == 1 else ""
    return account if account.isdigit() else ""


def _boxes(part: Compiled) -> Iterator[tuple[Literal, ...]]:
    """Yield the statement split at its lists of values, or as it is if these are too many parts."""
    choices = [literal.split() for literal in part.literals]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST_PARTS:
        yield part.literals
        return
    yield from product(*choices)


class _Search:
    """Searches for a request in a part of a statement that no covering statement covers."""

    def __init__(self, covers: Sequence[Compiled], reading: Reading, workspace: Workspace) -> None:
        self._covers = [each.literals for each in covers]
        self._opaque = any(literal.is_opaque for literals in self._covers for literal in literals)
        self._reading = reading
        self._budget = workspace.budget
        self._known = workspace.known.setdefault(reading, {})

    def is_opaque(self, box: Iterable[Literal]) -> bool:
        """Return whether a statement was compared by its text only."""
        return self._opaque or any(literal.is_opaque for literal in box)

    def is_possible(self, box: Iterable[Literal]) -> bool:
        """Return whether a request satisfies all conditions."""
        return all(self._is_possible(literals) for literals in _by_dimension(box).values())

    def uncovered(self, box: tuple[Literal, ...]) -> bool:
        """Return whether a request of the part is covered by none of the statements."""
        held = _by_dimension(box)
        self._budget.spend(len(box) + 2 * len(self._covers))
        if not all(self._is_possible(literals) for literals in held.values()):
            return False
        if any(all(self._plainly_implied(held, literal) for literal in cover) for cover in self._covers):
            return False
        return self._uncovered(held, self._covers)

    def _uncovered(self, held: dict[str, frozenset[Literal]], covers: Sequence[tuple[Literal, ...]]) -> bool:
        meeting: list[tuple[tuple[Literal, ...], list[Literal]]] = []
        for cover in covers:
            self._budget.spend(2 * len(cover))
            if all(self._can_be(held, literal) for literal in cover):
                open_ = [literal for literal in cover if self._can_be(held, literal.negation)]
                if not open_:
                    return False
                meeting.append((cover, open_))
        left = dict(held)
        for literal in [open_[0] for _, open_ in meeting if len(open_) == 1]:  # what is left is outside of each
            left[literal.dimension] = left.get(literal.dimension, frozenset()) | {literal.negation}
        if not all(self._is_possible(literals) for literals in left.values()):
            return False
        several = [(cover, open_) for cover, open_ in meeting if len(open_) > 1]
        self._budget.spend(len(left) + len(several))
        if not several:
            return True
        first, open_ = min(several, key=lambda each: len(each[1]))
        rest = [cover for cover, _ in several if cover is not first]
        for literal in open_:
            if self._can_be(left, literal.negation):
                own = left.get(literal.dimension, frozenset())
                if self._uncovered({**left, literal.dimension: own | {literal.negation}}, rest):
                    return True
                left[literal.dimension] = own | {literal}
                if not self._is_possible(left[literal.dimension]):
                    return False
        return False

    def _plainly_implied(self, held: dict[str, frozenset[Literal]], literal: Literal) -> bool:
        """Return whether a condition is one of a part, or has all its values: the usual case."""
        own = held.get(literal.dimension, ())
        return literal in own or any(literal.has_all_values_of(each) for each in own)

    def _can_be(self, held: dict[str, frozenset[Literal]], literal: Literal) -> bool:
        """Return whether a request of a part satisfies a condition."""
        own = held.get(literal.dimension, frozenset())
        if literal in own:
            return True
        if literal.negation in own:
            return False
        return self._is_possible(own | {literal})

    def _is_possible(self, literals: frozenset[Literal]) -> bool:
        """Return whether a value exists for which each condition on it is true or false as given, decided once."""
        known = self._known.get(literals)
        if known is None:
            self._budget.spend(_NEW)
            known = self._known[literals] = self._possible(literals)
        return known

    def _possible(self, literals: frozenset[Literal]) -> bool:
        tests = [(literal.test, literal.truth) for literal in literals]
        keyed = [(test, truth) for test, truth in tests if isinstance(test, KeyTest)]
        if keyed:
            return satisfiable(keyed, samples_of(test for test, _ in keyed), self._reading, self._budget)
        required: list[Language] = []
        excluded: list[Language] = []
        for test, truth in tests:
            if not isinstance(test, Texts):
                return len({truth for other, truth in tests if other is test}) == 1
            (required if truth else excluded).append(test.language(self._reading))
        return exists(required, excluded, self._budget)


def _by_dimension(literals: Iterable[Literal]) -> dict[str, frozenset[Literal]]:
    held: dict[str, frozenset[Literal]] = {}
    for literal in literals:
        held[literal.dimension] = held.get(literal.dimension, frozenset()) | {literal}
    return held


def may_meet(statement: Statement, other: Statement, workspace: Workspace) -> bool:
    """Return whether a request may exist to which both statements apply; false only if there certainly is none."""
    mine, its = workspace.compiled(statement), workspace.compiled(other)
    if mine.problem or its.problem:
        return True
    account = _owner(mine)
    if all(
        its.covers(entry, account) is False and mine.covers(each, account) is False
        for entry in mine.principals
        for each in its.principals
    ):
        return False
    box = (*mine.literals, *its.literals)
    try:
        return any(_Search((), reading, workspace).is_possible(box) for reading in _readings(mine, its))
    except (TooLargeError, ValueError):
        return True
