"""The keys of `alerts` in `guard.yaml`."""

from __future__ import annotations

from typing import Final

from permission_guard.config.document import AlertLimit, Alerts, Period
from permission_guard.config.forms import Choice, Integer, Key, ObjectOf
from permission_guard.model.verdicts import Severity

MAX_MESSAGES: Final = 1_000
"""The table has the times of the last messages of a channel in one item."""
MAX_MINUTES: Final = 60
"""What waits because of a limit waits about as long."""

LIMIT: Final = ObjectOf(
    record=AlertLimit,
    keys=(
        # One place is for digests, so that with one message there would be no alert.
        Key(name="messages", form=Integer(2, MAX_MESSAGES), description="How many messages a channel gets at most."),
        Key(name="minutes", form=Integer(1, MAX_MINUTES), description="In how many minutes."),
    ),
)

ALERTS: Final = ObjectOf(
    record=Alerts,
    keys=(
        Key(
            name="min_severity",
            form=Choice(Severity),
            description="The lowest severity of findings that send an alert.",
        ),
        Key(
            name="limit",
            form=LIMIT,
            description="How many messages each channel gets in which time. Findings beyond that wait, and are sent "
            "together in a digest.",
        ),
        Key(
            name="digest",
            form=Choice(Period),
            description="How often a digest of all that is open is sent: off, daily or weekly, on Mondays.",
        ),
        Key(name="digest_hour", form=Integer(0, 23), description="From which hour of the day in UTC it is sent."),
    ),
)
