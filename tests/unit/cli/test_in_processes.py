"""Many items are done in several processes, and none is lost."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from permission_guard.cli import in_processes as module
from permission_guard.cli.in_processes import in_processes
from tests.unit.cli.conftest import run

if TYPE_CHECKING:
    from pathlib import Path

MANY = range(250)


def where(item: int) -> tuple[int, int]:
    """Return the item and the process."""
    return item, os.getpid()


def ends_once(item: int, *, parent: int) -> int:
    """End the process that does one of the items, but the parent's."""
    if item == 200 and os.getpid() != parent:
        os._exit(1)
    return item


@pytest.fixture(autouse=True)
def processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two, whatever the machine has."""
    monkeypatch.setattr(module, "_processors", lambda: 2)


def test_many_items_are_done_elsewhere_in_order() -> None:
    """Each process has its share."""
    results = list(in_processes(where, MANY))
    assert [item for item, _ in results] == list(MANY)
    assert os.getpid() not in {process for _, process in results}


def test_few_items_are_done_here() -> None:
    """A process takes longer to start."""
    assert {process for _, process in in_processes(where, range(99))} == {os.getpid()}


def test_what_a_lost_process_leaves_is_done_here() -> None:
    """Nothing is lost and nothing is done twice."""
    assert list(in_processes(partial(ends_once, parent=os.getpid()), MANY)) == list(MANY)


def test_without_processes_everything_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems have no semaphores."""

    def none(*_: object) -> None:
        raise OSError("no semaphores")

    monkeypatch.setattr(module, "ProcessPoolExecutor", none)
    assert {process for _, process in in_processes(where, MANY)} == {os.getpid()}


def test_many_files_have_the_results_of_each(tmp_path: Path) -> None:
    """The same results in the same order as one process has."""
    template = (
        "Resources: {P: {Type: AWS::Lambda::Permission, Properties: {Action: lambda:InvokeFunction, Principal: NAME}}}"
    )
    for number in range(210):
        principal = '"*"' if number % 3 else "s3.amazonaws.com"
        (tmp_path / f"{number:03}.yaml").write_text(template.replace("NAME", principal) if number % 7 else "a: [")
    arguments = (str(tmp_path), "--format", "json")
    several = run(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_processors", lambda: 1)
        assert run(*arguments) == several
    assert several[0] == 1
