"""Whether a sweep is the first one: the baseline is opened once, and never on a stack that has swept before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.config.document import Baseline as Choice
from permission_guard.config.document import GuardConfig
from permission_guard.errors import ConfigurationUnavailableError, ConflictError
from permission_guard.findings.baseline import Baseline, BaselineStatus
from permission_guard.sweep.first import is_baseline

START = "2026-11-20T09:00:00.000+00:00"
SOON = "2026-11-20T11:59:59.000+00:00"
LATE = "2026-11-20T12:00:00.000+00:00"


class Stored:
    """The stored baseline."""

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.held = baseline

    def baseline(self) -> Baseline | None:
        return self.held

    def put_baseline(self, baseline: Baseline) -> Baseline:
        if (self.held.revision if self.held else 0) != baseline.revision:
            raise ConflictError
        self.held = replace(baseline, revision=baseline.revision + 1)
        return self.held


def asked(stored: Stored, now: str = START, *, has_swept: bool = False, choice: Choice = Choice.DIGEST) -> bool:
    """Ask whether a sweep belongs to the baseline."""
    return is_baseline(stored, lambda: has_swept, lambda: GuardConfig(baseline=choice), lambda: now)


def test_the_first_sweep_opens_the_baseline() -> None:
    """Its other runs, within three hours, belong to it."""
    stored = Stored()
    assert asked(stored)
    assert stored.held == Baseline(status=BaselineStatus.OPEN, opened_at=START, revision=1)
    assert asked(stored, SOON, has_swept=True)
    assert not asked(stored, LATE, has_swept=True)


@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("has_swept", [True, False], ids=["upgraded", "new"])
def test_an_upgraded_stack_and_one_that_wants_every_alert_have_none(choice: Choice, *, has_swept: bool) -> None:
    """That is decided once: a later change of the configuration opens none."""
    stored, is_wanted = Stored(), not has_swept and choice is Choice.DIGEST
    assert asked(stored, has_swept=has_swept, choice=choice) is is_wanted
    assert stored.held is not None
    assert stored.held.status is (BaselineStatus.OPEN if is_wanted else BaselineStatus.CLOSED)
    assert asked(stored) is is_wanted


@pytest.mark.parametrize("status", [BaselineStatus.CLOSING, BaselineStatus.CLOSED])
def test_a_baseline_that_ended_is_not_opened_again(status: BaselineStatus) -> None:
    """The next sweep's findings send alerts."""
    assert not asked(Stored(Baseline(status=status, opened_at=START, closed_at=START)))


def test_the_first_sweep_waits_for_its_configuration() -> None:
    """It cannot know whether an alert for each finding is wanted. Nothing is decided."""
    stored = Stored()

    def unavailable() -> GuardConfig:
        raise ConfigurationUnavailableError("AppConfig could not be read")

    with pytest.raises(ConfigurationUnavailableError):
        is_baseline(stored, lambda: False, unavailable, lambda: START)
    assert stored.held is None
    assert not is_baseline(stored, lambda: True, unavailable, lambda: START)


def test_of_two_first_runs_one_decides() -> None:
    """The other one takes what it decided."""
    stored = Stored()

    def other_run() -> bool:
        stored.held = Baseline(status=BaselineStatus.OPEN, opened_at=START, revision=1)
        return False

    assert is_baseline(stored, other_run, GuardConfig, lambda: SOON)
    assert stored.held is not None
    assert stored.held.opened_at == START
