"""The deliberate faults of `make simulate-mutations` are faults of the code as it is now."""

from __future__ import annotations

import inspect

import pytest

from tests.simulation import invariants
from tests.simulation.mutations import MUTATIONS, Mutation, Part

PARTS = {f"{one.name}: {part.owner.__name__} {part.name}": part for one in MUTATIONS for part in one.parts}


def test_there_are_twelve_mutations() -> None:
    """Each has a name of its own."""
    assert len({one.name for one in MUTATIONS}) == 12


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_mutation_replaces_a_function_that_exists(part: Part) -> None:
    """After a refactoring, a mutation must not set what nothing calls any more."""
    assert inspect.isfunction(vars(part.owner)[part.name])


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_mutation_takes_the_parameters_of_what_it_replaces(part: Part) -> None:
    """Otherwise its call fails, and that is found instead of the fault."""
    original = vars(part.owner)[part.name]
    assert _parameters(part.mutated(original)) == _parameters(original)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mutation_names_invariants_that_exist(mutation: Mutation) -> None:
    """No other invariant counts as the one that finds it."""
    assert mutation.invariants
    assert {*mutation.invariants} <= {one.__name__ for one in invariants._INVARIANTS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mutation_replaces_its_functions(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applied, each of its functions is another one."""
    before = {(part.owner, part.name): vars(part.owner)[part.name] for part in mutation.parts}
    for (owner, name), original in before.items():
        monkeypatch.setattr(owner, name, original)  # put back after the test
    mutation.apply()
    assert all(vars(owner)[name] is not original for (owner, name), original in before.items())


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mutation_is_found_by_its_own_invariants_only(mutation: Mutation) -> None:
    """A seed that breaks another invariant does not show that the simulation sees this fault."""
    others = [one.__name__ for one in invariants._INVARIANTS if one.__name__ not in mutation.invariants]
    broken = [f"{others[0]}: something", f"{mutation.invariants[-1]}: something"]
    assert not mutation.found_in(broken[:1])
    assert mutation.found_in(broken) == mutation.invariants[-1]


def _parameters(function: object) -> list[str]:
    assert callable(function)
    return [name.lstrip("_") for name in inspect.signature(function).parameters]
