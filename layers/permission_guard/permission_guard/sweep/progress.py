"""How far a bulk evaluation is: records that its parts share."""

from __future__ import annotations

from permission_guard.records import record


@record(kw_only=True)
class CallRate:
    """The calls that one limit counts: how many were made, how many AWS throttled, and the rate now and at most.

    `name` is `lambda:GetPolicy`, `lambda` (all other calls of its control plane), or another service's limit. Rates are
    in calls a second, None without a limit. They are below `limit` while AWS throttles earlier.
    """

    name: str
    calls: int
    throttled: int
    rate: float | None
    limit: float | None


@record(kw_only=True)
class Progress:
    """How far an evaluation is.

    `listed` counts the functions that ListFunctions returned and that the options select, and `is_listed` whether that
    list is complete: then `listed` is the total. `done` counts the evaluated functions, `findings` their violations.
    `waits_for` names what every function waits for, such as `the triggers of log groups`, and is empty otherwise.
    `seconds` is the time since the start.
    """

    listed: int
    is_listed: bool
    done: int
    findings: int
    seconds: float
    rates: tuple[CallRate, ...] = ()
    waits_for: str = ""

    @property
    def seconds_left(self) -> float | None:
        """The estimated time left at the pace so far, in seconds, None if it is unknown."""
        if not self.is_listed or not self.done:
            return None
        return self.seconds * (self.listed - self.done) / self.done
