"""What a flood left at each channel, and what is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Seen:
    """What one channel got: when a message arrived, in seconds, and the texts of those that it accepted."""

    times: Sequence[float]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One channel in the table.

    `alone` are the messages about one finding, and `others` those about none of them. `fullest` is the most messages in
    any window, and `last` the seconds until the last one.
    """

    channel: str
    messages: int
    alone: int
    others: int
    fullest: int
    missing: int
    repeated: int
    last: float

    def problems(self, most: int, minutes: int) -> Iterator[str]:
        """Yield what is wrong, as sentences."""
        if self.fullest > most:
            yield f"{self.channel} got {self.fullest} messages within {minutes} min; the limit is {most}"
        if self.missing:
            yield f"{self.channel}: findings in no message: {self.missing}"
        if self.repeated:
            yield f"{self.channel}: findings in more than one message: {self.repeated}"


def rows(seen: Mapping[str, Seen], finding_ids: Sequence[str], seconds: float, began: float) -> list[Row]:
    """Return a row for each channel. `seconds` is the length of a window, and `began` the time of the first finding."""
    return [_row(channel, one, finding_ids, seconds, began) for channel, one in seen.items()]


def _row(channel: str, seen: Seen, finding_ids: Sequence[str], seconds: float, began: float) -> Row:
    found = [[one for one in finding_ids if one in text] for text in seen.texts]
    messages = dict.fromkeys(finding_ids, 0)
    for one in (one for ids in found for one in ids):
        messages[one] += 1
    return Row(
        channel=channel,
        messages=len(seen.times),
        alone=sum(len(ids) == 1 for ids in found),
        others=sum(not ids for ids in found),
        fullest=fullest(seen.times, seconds),
        missing=sum(number == 0 for number in messages.values()),
        repeated=sum(number > 1 for number in messages.values()),
        last=max((time - began for time in seen.times), default=0.0),
    )


def fullest(times: Sequence[float], seconds: float) -> int:
    """Return the most messages in any window of some seconds, wherever it begins."""
    ordered, first, most = sorted(times), 0, 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
