"""The keys of the limit of new tickets."""

from __future__ import annotations

from typing import Final

from permission_guard.config.document import TicketLimit
from permission_guard.config.forms import Integer, Key, ObjectOf

MAX_TICKETS: Final = 1_000
MAX_HOURS: Final = 744
"""A month: OpsCenter's quota is of a month."""

TICKET_LIMIT: Final = ObjectOf(
    record=TicketLimit,
    keys=(
        Key(
            name="tickets",
            form=Integer(1, MAX_TICKETS),
            description="How many tickets are opened in this time, in each system.",
        ),
        Key(
            name="hours",
            form=Integer(1, MAX_HOURS),
            description="The time, in hours. A period of 24 hours begins at midnight UTC.",
        ),
    ),
)
