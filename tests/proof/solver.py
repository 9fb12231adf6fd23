"""The questions about a plan, and what Z3 answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import z3

from tests.proof.encoding import SERVICE, Encoding, statements_of
from tests.proof.operators import matches_arn
from tests.proof.texts import TextSolver, TimeOutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.fixes.certificate import Call
    from tests.proof.operators import Formula
    from tests.proof.plans import Plan

JSON = Any

SECONDS: Final = 10
"""How long the solver may take for one question."""
_NEVER_SENT: Final = (
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalType",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver says of a plan: proven, refuted by a request, or undecided. `about` is the question."""

    proven: bool
    undecided: bool = False
    about: str = ""


def prove(plan: Plan) -> Answer:
    """Ask every question about a plan: each asks for a request that contradicts it."""
    solver = TextSolver(SECONDS)
    for about, encoding, question in questions(plan):
        try:
            found = solver.solution(encoding.possible, question)
        except TimeOutError:
            return Answer(proven=False, undecided=True, about=about)
        if found is not None:
            return Answer(proven=False, about=f"{about}: {found}")
    return Answer(proven=True)


def questions(plan: Plan) -> Iterator[tuple[str, Encoding, Formula]]:
    """Yield what must have no solution, with the encoding of its variables."""
    if plan.kind == "attach":
        yield from _of_attachment(plan)
        return
    encoding = Encoding([plan.old, *plan.between, plan.new, {"Statement": plan.added}], plan.account)
    if plan.kind == "add":
        both = {**plan.old, "Statement": [*statements_of(plan.old), *plan.added]}
        yield _more(encoding, [plan.new], both, "more than was added")
        yield _more(encoding, [both], plan.new, "less than was added")
        return
    yield _more(encoding, [*plan.between, plan.new], plan.old, "allowed now and not before")
    if plan.kind == "compact":
        yield _more(encoding, [plan.old], plan.new, "allowed before and not now")
    denies = [one for one in statements_of(plan.old) if one.get("Effect") == "Deny"]
    limited = z3.Or(*(encoding.denies(one) for one in denies)) if denies else z3.BoolVal(val=False)
    kept = [encoding.allowed(document) for document in (plan.old, *plan.between, plan.new)]
    lost = z3.And(z3.Not(limited), z3.Not(z3.And(*kept)))
    for call in plan.proven:
        yield f"{call.source} that is denied", encoding, z3.And(call_formula(encoding, call), lost)


def _more(encoding: Encoding, documents: list[JSON], other: JSON, about: str) -> tuple[str, Encoding, Formula]:
    """Return the question whether one of some documents allows what another one does not."""
    allowed = [encoding.allowed(document) for document in documents]
    return about, encoding, z3.And(z3.Or(*allowed), z3.Not(encoding.allowed(other)))


def _of_attachment(plan: Plan) -> Iterator[tuple[str, Encoding, Formula]]:
    encoding = Encoding([*plan.old, *plan.new, *plan.added], plan.account)
    after, union = encoding.identity_allows(plan.new), encoding.identity_allows([*plan.old, *plan.added])
    before, added = encoding.identity_allows(plan.old), encoding.identity_allows(plan.added)
    yield "more than both", encoding, z3.And(after, z3.Not(z3.Or(before, added)))
    yield "less than both", encoding, z3.And(union, z3.Not(after))
    yield "less than before", encoding, z3.And(before, z3.Not(after))


def call_formula(encoding: Encoding, call: Call) -> Formula:
    """Return which requests are the calls of a source."""
    parts = [
        encoding.kind == SERVICE,
        encoding.caller == call.principal,
        encoding.action == call.action.lower(),
        encoding.resource == call.function_arn,
    ]
    parts += [_matches(encoding, "aws:SourceArn", call.source_arn)]
    parts += [_is(encoding, "aws:SourceAccount", call.source_account)]
    parts += [_is(encoding, "aws:PrincipalServiceName", call.principal)]
    parts += [_is(encoding, name, "true") for name in ("aws:PrincipalIsAWSService", "aws:SecureTransport")]
    parts += [_is(encoding, "aws:ResourceAccount", call.function_arn.split(":")[4])]
    parts += [z3.Not(encoding.key(name).present) for name in _NEVER_SENT]
    return z3.And(*parts)


def _is(encoding: Encoding, name: str, value: str) -> Formula:
    """Return whether a key has a value; absent if there is none."""
    key = encoding.key(name)
    return z3.And(key.present, z3.Not(key.several), key.value == value) if value else z3.Not(key.present)


def _matches(encoding: Encoding, name: str, pattern: str) -> Formula:
    """Return whether a key has an ARN that matches a pattern part by part; absent if there is none."""
    key = encoding.key(name)
    return z3.And(key.present, z3.Not(key.several), matches_arn(key.value, pattern)) if pattern else z3.Not(key.present)
