"""The digests of the findings that waited for a channel: every finding in one of them, the worst first. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.message import Fact
from permission_guard.delivery.states import STATES
from permission_guard.delivery.text import one_line
from permission_guard.model.digests import Digest, DigestKind, DigestPart, digest_id
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from permission_guard.config.document import AlertLimit
    from permission_guard.delivery.message import Message
    from permission_guard.delivery.waiting import WaitingItem

MOST_BYTES: Final = 8_500
"""How long the lists of a digest may be: Slack, which shows least, shows 10,000 characters of all lists."""
MOST_PARTS: Final = 30
"""How many lists a digest may have: a Slack message has 50 blocks."""
MOST_FINDINGS: Final = 90
"""How many findings a digest may report: the table removes all of them in one transaction of 100 writes."""
_FEWER: Final = 3
"""If a digest is too long for a channel, the next try has three quarters of its findings."""
_BYTES_A_PART: Final = 1_900
"""Slack shows 2,500 characters of a list, and Amazon Q 2,000: of a longer one it would not show all findings."""
_TITLE: Final = 120
_NAME: Final = 60
_SUFFIX: Final = len(", continued")
_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


@record
class WaitingDigest:
    """A digest, and the items that it reports."""

    digest: Digest
    items: tuple[WaitingItem, ...]

    @property
    def message(self) -> Message:
        """The message for a channel.

        Its attribute `severity` is the worst of all items: whoever filters by it hears of what is over, too. It has
        none if an item cannot be read.
        """
        composed = compose_digest(self.digest)
        severities = [item.finding.severity for item in self.items if item.finding]
        attributes = {name: values for name, values in composed.attributes.items() if name != "severity"}
        if len(severities) == len(self.items):
            attributes["severity"] = (str(max(severities, key=_RANKS.__getitem__)),)
        over = frozenset(item.id for item in self.items if item.finding and item.finding.is_over)
        references = composed.references
        if len(self.items) == 1:  # its line may be too long for a channel, but a reference is never left out
            references = (Fact("Finding id", (one_line(self.items[0].id, _TITLE),)), *references)
        return replace(composed, attributes=attributes, over=over, references=references)


def waiting_digest(
    items: Sequence[WaitingItem],
    channel: str,
    limit: AlertLimit,
    *,
    account: str,
    region: str,
    now: str,
    command: str,
    shows_all: Callable[[Message], bool] = lambda _message: True,
) -> WaitingDigest:
    """Return the digest of the worst of the findings that wait; there is at least one.

    What does not fit into it is for the next one. Findings whose items cannot be read are named by their ids, first.
    `shows_all` says whether the channel shows every finding of a message: the digest has no more of them.
    """
    most = MOST_FINDINGS
    while True:
        made = _digest(items, channel, limit, most, account=account, region=region, now=now, command=command)
        if len(made.items) == 1 or shows_all(made.message):
            return made
        most = len(made.items) * _FEWER // (_FEWER + 1)


def _digest(
    items: Sequence[WaitingItem],
    channel: str,
    limit: AlertLimit,
    most: int,
    *,
    account: str,
    region: str,
    now: str,
    command: str,
) -> WaitingDigest:
    builder = _Builder(most)
    for group in _groups(items):
        if not builder.add(group):
            break
    shown, waited = tuple(builder.items), len(items)
    open_ones = [item.finding.severity for item in shown if item.finding and not item.finding.is_over]
    rest = waited - len(shown)
    return WaitingDigest(
        Digest(
            id=digest_id(DigestKind.WAITING, channel, *(repr(item.stored) for item in shown)),
            kind=DigestKind.WAITING,
            account=account,
            region=region,
            created_at=now,
            title=(
                f"{waited} {'finding' if waited == 1 else 'findings'} waited: "
                f"more than {limit.messages} messages in {limit.minutes} minutes"
            ),
            summary=(
                f"These are the first {len(shown)}, the worst of them. The other {rest} follow when the limit allows."
                if rest
                else "The limit of this channel kept them from an alert of their own."
            ),
            parts=tuple(builder.parts()),
            command=command,
            findings=tuple(item.id for item in shown),
            severity=max(open_ones, key=_RANKS.__getitem__) if open_ones else None,
        ),
        shown,
    )


class _Builder:
    """Collects groups of findings until the digest is full; it reports at most `most`."""

    def __init__(self, most: int) -> None:
        self.items: list[WaitingItem] = []
        self._most = most
        self._left = MOST_BYTES
        self._lists: list[tuple[str, int, list[str]]] = []

    def add(self, group: Sequence[WaitingItem]) -> bool:
        """Add the findings of a group, as far as they fit; return whether all of them did."""
        name, lines, size = _heading(group[0]), list[str](), 0
        for item in group:
            line = _line(item)
            needed = _size(line)
            is_new = not lines or size + needed > _BYTES_A_PART
            needed += _size(name) + _SUFFIX if is_new else 0
            is_full = len(self.items) == self._most or (is_new and len(self._lists) == MOST_PARTS)
            if is_full or needed > self._left:
                return False
            if is_new:
                lines, size = [], 0
                self._lists.append((name, len(group), lines))
            lines.append(line)
            size += needed
            self._left -= needed
            self.items.append(item)
        return True

    def parts(self) -> Iterator[DigestPart]:
        """Yield the lists. The first one of a group says how many findings the group has."""
        named: set[str] = set()
        for name, count, lines in self._lists:
            yield DigestPart(f"{name}, continued" if name in named else f"{name}: {count}", tuple(lines))
            named.add(name)


def _groups(items: Sequence[WaitingItem]) -> list[list[WaitingItem]]:
    """Return the items by account, rule and owner: open findings first, then those with the worst finding."""
    groups: dict[str, list[WaitingItem]] = defaultdict(list)
    for item in sorted(items, key=_rank):
        groups[_heading(item)].append(item)
    return list(groups.values())


def _rank(item: WaitingItem) -> tuple[int, int, str, str]:
    one = item.finding
    return (-1, 0, "", item.id) if one is None else (one.is_over, -_RANKS[one.severity], one.rule_id, item.id)


def _heading(item: WaitingItem) -> str:
    one = item.finding
    if one is None:
        return "Findings that cannot be read"
    over = "No action needed: " if one.is_over else ""
    owner = f", owner {one_line(one.owner, _NAME)}" if one.owner else ""
    return f"{over}{one_line(f'{one.rule_id} {one.rule_name}', _NAME)} in {one_line(one.account, _NAME)}{owner}"


def _line(item: WaitingItem) -> str:
    """Return a finding in a line: its severity, what happened to it while it waited, its title and its id."""
    one = item.finding
    if one is None:
        return one_line(item.id, _TITLE)
    happened = ", then ".join(STATES[transition].lower() for transition in one.transitions)
    severity = "" if one.is_over else f"[{one.severity.upper()}] "
    return f"{severity}{one_line(one.title, _TITLE)} ({happened}; {item.id})"


def _size(line: str) -> int:
    """Return a size that is never below the number of UTF-16 units, with the end of the line."""
    return len(line.encode(errors="replace")) + 1
