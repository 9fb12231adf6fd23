"""What the seed decides. Each decision has a name, so that a replay can leave one out and keep the others."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
_SCALE = 2**64


class Choices:
    """The decisions of a seed. `left_out` are names of decisions that are made in the ordinary way instead.

    `unusual` are the names of the decisions that were not ordinary: a fault, a duplicate, another order.
    """

    def __init__(self, seed: int, left_out: frozenset[str] = frozenset()) -> None:
        self.seed = seed
        self.unusual: list[str] = []
        self.is_calm = False
        """Whether every decision is the ordinary one from now on."""
        self._left_out = left_out
        self._numbers: Counter[str] = Counter()

    def happens(self, kind: str, probability: float) -> bool:
        """Decide whether something unusual happens."""
        name, drawn = self._draw(kind)
        if self.is_calm or drawn >= probability or name in self._left_out:
            return False
        self.unusual.append(name)
        return True

    def pick(self, kind: str, options: Sequence[T]) -> T:
        """Decide for one of some options. The first one is the ordinary one."""
        name, drawn = self._draw(kind)
        number = int(drawn * len(options))
        if self.is_calm or name in self._left_out:
            number = 0
        if number:
            self.unusual.append(name)
        return options[number]

    def _draw(self, kind: str) -> tuple[str, float]:
        """Return the name of the next decision of a kind, and its number from 0 to 1.

        It depends on the seed and the name alone, not on other decisions.
        """
        name = f"{kind}/{self._numbers[kind]}"
        self._numbers[kind] += 1
        digest = blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return name, int.from_bytes(digest) / _SCALE
