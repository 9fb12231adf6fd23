"""Whether a sweep is the first one of the account and region: what it finds goes to one digest."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from permission_guard.config.document import Baseline as BaselineChoice
from permission_guard.errors import ConflictError
from permission_guard.findings.baseline import Baseline, BaselineStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.config.document import GuardConfig
    from permission_guard.findings.baseline import Baselines


def is_baseline(
    baselines: Baselines,
    has_swept: Callable[[], bool],
    config: Callable[[], GuardConfig],
    clock: Callable[[], str],
) -> bool:
    """Return whether the checks that a sweep requests belong to the baseline; the first sweep opens it.

    `has_swept` says whether a sweep was made before there were baselines: an upgraded stack has none. Neither has one
    whose configuration wants an alert for each finding. ConfigurationUnavailableError if the first sweep cannot know.
    """
    baseline, now = baselines.baseline(), clock()
    if baseline is None:
        is_wanted = not has_swept() and config().baseline is BaselineChoice.DIGEST
        first = (
            Baseline(status=BaselineStatus.OPEN, opened_at=now)
            if is_wanted
            else Baseline(status=BaselineStatus.CLOSED, opened_at=now, closed_at=now)
        )
        with suppress(ConflictError):  # another run has decided
            baselines.put_baseline(first)
        baseline = baselines.baseline()
    return baseline is not None and baseline.is_open(now)
