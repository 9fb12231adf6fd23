"""Records behave like the `dataclasses` that they replace."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from permission_guard.iam import EvalDecision, PolicySet, Request, StatementRef
from permission_guard.iam.decision import Decision
from permission_guard.records import field, record


@record
class Point:
    """A record with every kind of field."""

    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list, hash=False)
    note: str = field(default="", compare=False, repr=False)

    @property
    def total(self) -> int:
        """The sum."""
        return self.x + self.y


def test_fields_have_order_defaults_and_factories() -> None:
    """As those of a dataclass."""
    assert (Point(1).x, Point(1).y, Point(1).tags, Point(1, y=3).total) == (1, 2, [], 4)
    assert Point(1).tags is not Point(1).tags
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]


def test_records_are_values() -> None:
    """Equality, hash and representation exclude the fields that are marked so."""
    assert Point(1, note="a") == Point(1, note="b")
    assert Point(1) != Point(2)
    pair: object = (1, 2)
    assert Point(1) != pair
    assert hash(Point(1, tags=["a"])) == hash(Point(1, tags=["b"]))
    assert repr(Point(1, note="a")) == "Point(x=1, y=2, tags=[])"


def test_records_cannot_be_changed() -> None:
    """They cannot get other attributes either."""
    with pytest.raises(AttributeError, match="cannot be changed"):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be changed"):
        del Point(1).x
    assert not hasattr(Point(1), "__dict__")


def test_records_work_with_dataclasses_copy_and_pickle() -> None:
    """These modules treat a record as a dataclass."""
    kind: object = PolicySet
    assert dataclasses.is_dataclass(kind)
    assert [item.name for item in dataclasses.fields(StatementRef)] == ["policy", "sid", "index", "effect", "kind"]
    changed = dataclasses.replace(PolicySet(unread=("p",)), boundary_unread="denied")
    assert (changed.unread, changed.boundary_unread) == (("p",), "denied")
    decision = Decision(EvalDecision.EXPLICIT_DENY, StatementRef("p", "S", 0, "Deny", "scp"))
    assert copy.deepcopy(decision) == decision
    assert pickle.loads(pickle.dumps(decision)) == decision  # noqa: S301 - what was just written
    assert dataclasses.asdict(decision)["statement"]["sid"] == "S"


def test_a_record_matches_by_position() -> None:
    """In a match statement, as a dataclass does."""
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)
    assert Request.__match_args__[0] == "principal"


@record(order=True)
class Place:
    """A record that can be sorted."""

    row: int
    seat: str


@record(kw_only=True)
class Named:
    """A record whose fields are named; one without a default may follow one with."""

    first: int = 1
    second: int


def test_records_sort_by_their_fields_in_order() -> None:
    """Records of one class can be compared, and no others."""
    places = [Place(2, "a"), Place(1, "b"), Place(1, "a")]
    assert sorted(places) == [Place(1, "a"), Place(1, "b"), Place(2, "a")]
    assert Place(1, "a") <= Place(1, "a") < Place(1, "b")
    assert Place(2, "a") >= Place(2, "a") > Place(1, "b")
    other: object = (1, "a")
    with pytest.raises(TypeError):
        sorted([Place(1, "a"), other])  # type: ignore[type-var]
    with pytest.raises(TypeError):
        sorted([Point(2), Point(1)])  # type: ignore[type-var]


def test_keyword_only_fields_cannot_be_given_by_position() -> None:
    """For any number of fields."""
    assert Named(second=2) == Named(first=1, second=2)
    with pytest.raises(TypeError):
        Named(1, second=2)  # type: ignore[call-arg]
    assert copy.copy(Named(second=2)) == Named(second=2)
    assert pickle.loads(pickle.dumps(Named(second=2))) == Named(second=2)  # noqa: S301 - what was just written


def test_the_attributes_that_dataclasses_reads_are_created_once() -> None:
    """`replace` is frequent, and creating them takes a hundred times as long."""
    first = dataclasses.fields(Named(second=2))
    assert all(one is other for one, other in zip(first, dataclasses.fields(Named(second=3)), strict=True))
    assert dataclasses.replace(Named(second=2), first=3) == Named(first=3, second=2)


def test_the_initializer_is_generated_at_the_first_call() -> None:
    """By whichever thread is first; afterwards the generated one is the class's own."""

    @record
    class Made:
        value: int

    first = Made.__init__
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(Made, range(200)))
    finally:
        sys.setswitchinterval(interval)
    assert [one.value for one in made] == list(range(200))
    assert Made.__init__ is not first
    assert Made.__init__.__code__.co_varnames[:2] == ("self", "value")
