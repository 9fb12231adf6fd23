"""Read which regions are enabled for the account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from permission_guard.aws.calls import read
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable

OF_THE_REGION = frozenset({"InvalidClientTokenId", "OptInRequired", "UnrecognizedClientException"})
"""The errors of a region that is not enabled for the account, or is being disabled: a retry does not help."""

MAX_AGE_SECONDS = 60 * 60
"""For how long the list is cached: people enable regions a few times in the life of an account."""


class EnabledRegions:
    """The regions that are enabled for the account, its own first.

    `ec2` returns a client, and `clock` seconds. Unlike `time.monotonic`, it must continue while the
    execution environment is frozen.
    """

    def __init__(self, ec2: Callable[[], Any], clock: Callable[[], float] = time.time) -> None:
        self._ec2 = ec2
        self._clock = clock
        self._read_at: tuple[float, tuple[str, ...]] | None = None

    def read(self) -> tuple[str, ...] | Unread:
        """Return the regions, cached for an hour.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
        """
        cached = self._read_at
        if cached is not None and 0 <= self._clock() - cached[0] < MAX_AGE_SECONDS:
            return cached[1]
        now = self._clock()
        # Without AllRegions, EC2 lists the regions that are enabled.
        reply = read(
            "ec2:DescribeRegions",
            lambda: [region["RegionName"] for region in self._ec2().describe_regions()["Regions"]],
        )
        if reply is None or isinstance(reply, Unread):
            return reply or Unread("ec2:DescribeRegions", "NotFound", "no list", denied=False)
        regions = tuple(dict.fromkeys((self._ec2().meta.region_name, *sorted(reply))))
        self._read_at = (now, regions)
        return regions
