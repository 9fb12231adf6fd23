"""Solve a formula over texts: Z3 decides its logic, and for each text in turn whether one expression has a solution.

Every condition on a text is a regular expression. Z3 decides an intersection of them at once, but not several
conditions on one text among others. So each condition is a Boolean of its own. A solution of the Booleans that no text
has is excluded, by as few conditions as contradict each other, until a solution is left or none.
"""

from __future__ import annotations

import time
from typing import Any, Final

import z3

Formula = Any
Conditions = frozenset[tuple[Any, bool]]
"""Regular expressions, and whether a text matches them."""

_STRINGS: Final = z3.ReSort(z3.StringSort())


class TimeOutError(Exception):
    """The solver took too long for one question."""


class TextSolver:
    """Solves the questions about one plan, which have many conditions in common."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self._known: dict[frozenset[tuple[int, bool]], bool] = {}
        self._read: dict[int, dict[int, tuple[Formula, Formula]]] = {}
        self._kept: list[Formula] = []
        self.booleans: dict[int, tuple[Formula, str, Formula]] = {}
        """For each condition its Boolean, the name of the text, and the expression."""

    def solution(self, *formulas: Formula) -> Formula | None:
        """Return a solution of the formulas, None if there is none. TimeOutError if that is not decided in time."""
        self._deadline = time.process_time() + self._seconds
        pairs: dict[int, tuple[Formula, Formula]] = {}
        for formula in formulas:
            pairs.update(self._conditions(formula))
        solver = z3.Solver()
        solver.add(*(z3.substitute(formula, *pairs.values()) for formula in formulas))
        used = [self.booleans[number] for number in pairs]
        while True:
            solver.set("timeout", self._left())
            found = solver.check()
            if found == z3.unsat:
                return None
            if found == z3.unknown:  # Z3 counts the time of other processes, too
                continue
            contradictions = self._contradictions(solver.model(), used)
            if not contradictions:
                return solver.model()
            solver.add(*contradictions)

    def _contradictions(self, model: Formula, used: list[tuple[Formula, str, Formula]]) -> list[Formula]:
        """Return what excludes the solution, for each text that does not exist."""
        found = []
        for text in dict.fromkeys(name for _, name, _ in used):
            chosen = _chosen(model, used, text)
            if self._exists(chosen.values()):
                continue
            for boolean in list(chosen):
                left = {each: value for each, value in chosen.items() if each is not boolean}
                if not self._exists(left.values()):
                    chosen = left
            found.append(z3.Or(*(z3.Not(each) if truth else each for each, (_, truth) in chosen.items())))
        return found

    def _exists(self, conditions: Any) -> bool:
        """Return whether a text matches some expressions and does not match others."""
        conditions = list(conditions)
        key = frozenset((expression.get_id(), truth) for expression, truth in conditions)
        if key not in self._known:
            parts = [each if truth else z3.Complement(each) for each, truth in conditions]
            if not parts:
                return True
            solver = z3.Solver()
            solver.add(z3.InRe(z3.String("text"), parts[0] if len(parts) == 1 else z3.Intersect(*parts)))
            found = z3.unknown
            while found == z3.unknown:
                solver.set("timeout", self._left())
                found = solver.check()
            self._known[key] = found == z3.sat
        return self._known[key]

    def _left(self) -> int:
        left = int(1000 * (self._deadline - time.process_time()))
        if left <= 0:
            raise TimeOutError
        return left

    def _conditions(self, formula: Formula) -> dict[int, tuple[Formula, Formula]]:
        """Return the conditions on texts in a formula by their numbers, each with its Boolean. Read once."""
        number = formula.get_id()
        found = self._read.get(number)
        if found is None:
            kind = formula.decl().kind()
            if kind == z3.Z3_OP_SEQ_IN_RE or (kind == z3.Z3_OP_EQ and formula.arg(0).sort() == z3.StringSort()):
                found = {number: (formula, self._boolean(formula))}
            else:
                found = {}
                for part in formula.children():
                    found.update(self._conditions(part))
            self._read[number] = found
            self._kept.append(formula)
        return found

    def _boolean(self, term: Formula) -> Formula:
        number = term.get_id()
        if number not in self.booleans:
            text, other = term.children()
            if z3.is_string_value(text):
                text, other = other, text
            expression = other if z3.is_re(other) else z3.Re(other)
            self._kept += [term, expression]
            self.booleans[number] = z3.Bool(f"condition {number}"), str(text), expression
        return self.booleans[number][0]


def _chosen(model: Formula, used: list[tuple[Formula, str, Formula]], text: str) -> dict[Formula, tuple[Formula, bool]]:
    """Return the conditions on a text that a solution decides."""
    found = {}
    for boolean, name, expression in used:
        value = model.eval(boolean)
        if name == text and (z3.is_true(value) or z3.is_false(value)):
            found[boolean] = expression, z3.is_true(value)
    return found
