"""A digest as a notice, the same for every channel, and the digest that a message names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from permission_guard.delivery.alerts.notice import Notice
from permission_guard.delivery.text import cut, listing, one_line
from permission_guard.errors import UnrecordedTransitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from permission_guard.delivery.ledger import DeliveryResult
    from permission_guard.model.digests import Digest, DigestPart

_HEADLINE: Final = 200
_LINE: Final = 300
_MOST_LINES: Final = 120
_PART: Final = 10_000
_COMMAND: Final = 1_000


class RecordedDigests(Protocol):
    """Reads digests."""

    def digest(self, digest_id: str) -> Digest | None:
        """Return a digest, None if there is none."""


def deliver_digest(
    digest_id: str, digests: RecordedDigests, send: Callable[[Notice], Sequence[DeliveryResult]]
) -> Sequence[DeliveryResult]:
    """Send the digest that a message names. UnrecordedTransitionError if there is no such digest."""
    digest = digests.digest(digest_id)
    if digest is None:
        raise UnrecordedTransitionError(f"a message names the digest {digest_id}, which does not exist")
    return send(of_digest(digest))


def of_digest(digest: Digest) -> Notice:
    """Return the notice of a digest. Others chose its names: each line is bounded, and shows only what is visible."""
    return Notice(
        key=f"digest/{digest.id}",
        kind="Digest",
        headline=one_line(digest.title, _HEADLINE),
        text="\n\n".join(_paragraphs(digest)),
    )


def _paragraphs(digest: Digest) -> Iterator[str]:
    yield one_line(digest.summary, 2 * _LINE)
    command = listing(digest.command).strip()
    # Half a command does something else. It comes first, since a channel may cut a long text at its end.
    if command and len(command) <= _COMMAND:
        yield f"See all of them:\n{command}"
    yield from map(_listed, digest.parts)
    yield f"Account {one_line(digest.account, _LINE)}, region {one_line(digest.region, _LINE)}, digest {digest.id}"


def _listed(part: DigestPart) -> str:
    lines = [f"- {one_line(line, _LINE)}" for line in part.lines[:_MOST_LINES]]
    return cut("\n".join([f"{one_line(part.title, _LINE)}:", *lines]), _PART)
