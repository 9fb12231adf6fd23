"""How far the deployment of a configuration document is."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.records import record


class RolloutState(StrEnum):
    """The state of a deployment."""

    DEPLOYING = "deploying"
    WATCHED = "watched"
    COMPLETE = "complete"
    ROLLING_BACK = "rolling back"
    ROLLED_BACK = "rolled back"

    @property
    def has_ended(self) -> bool:
        """Whether the state is the last one."""
        return self in {RolloutState.COMPLETE, RolloutState.ROLLED_BACK}


@record(kw_only=True)
class Rollout:
    """A deployment: the functions that read the document, in percent, and the minutes in which an alarm rolls it back.

    `reason` says why it was rolled back.
    """

    state: RolloutState
    percent: int = 0
    minutes: int = 0
    reason: str = ""
