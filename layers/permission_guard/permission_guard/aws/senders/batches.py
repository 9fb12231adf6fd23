"""Divide what is sent into requests that AWS accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")


def batches(entries: Iterable[T], size: Callable[[T], int], *, most: int, most_bytes: int) -> Iterator[list[T]]:
    """Yield the entries in batches of at most `most` entries and `most_bytes` bytes; none of them is lost.

    An entry that is too large by itself is a batch of its own, which AWS rejects.
    """
    batch: list[T] = []
    left = most_bytes
    for entry in entries:
        length = size(entry)
        if batch and (len(batch) == most or length > left):
            yield batch
            batch, left = [], most_bytes
        batch.append(entry)
        left -= length
    if batch:
        yield batch
