"""Sets of texts that patterns describe, and the exact decision whether a text is in some sets and not in others.

A set is the union of patterns. A pattern is compared with a text character by character, as an automaton whose states
are the bits of an integer. The decision follows all automata at once, over the characters that the patterns name and
one character that none of them names.
"""

from __future__ import annotations

from permission_guard.iam.arn import PARTS, split_arn
from permission_guard.iam.glob import bits_at
from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

RUN: Final = 0
ANY: Final = 1
FIELD_RUN: Final = 2
FIELD_ANY: Final = 3

Symbol = str | int | frozenset[str]
"""One character, one of a set, `ANY` character, any `RUN` of characters; in a field, each without a colon."""

_LAST_OF_FIRST_PLANE: Final = "\uffff"
_KELVIN: Final = "\u212a"
"""The only character outside ASCII that is a letter of ASCII in lower case."""


class TooLargeError(Exception):
    """A decision takes more steps than it may."""


LETTER: Final = 5
"""The steps in which automata follow one character."""
_PAIRS: Final = 4
"""The pairs of patterns whose ends are compared in one step."""
_MASKS: Final = 8
"""The characters that an automaton looks up in one step, and the symbols of which it is made in one."""


class Budget:
    """The steps that a decision may still take, of about a microsecond. TooLargeError when none are left."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    @property
    def is_exhausted(self) -> bool:
        """Whether more steps were needed than there are."""
        return self._left < 0

    def spend(self, steps: int) -> None:
        """Take some steps."""
        self._left -= steps
        if self._left < 0:
            raise TooLargeError


def symbols_of_text(text: str) -> tuple[Symbol, ...]:
    """Return the symbols of a text without wildcards."""
    return tuple(text)


def symbols_of_glob(text: str) -> tuple[Symbol, ...]:
    """Return the symbols of a pattern in which `*` and `?` are wildcards."""
    return tuple(_wild(character, RUN, ANY) for character in text)


def symbols_of_arn(text: str) -> tuple[Symbol, ...]:
    """Return the symbols of an ARN with wildcards, of which each of the six parts matches only the same part."""
    *fields, resource = split_arn(text)
    symbols: list[Symbol] = []
    for field in fields:
        symbols += [_wild(character, FIELD_RUN, FIELD_ANY) for character in field]
        symbols.append(":")
    return (*symbols, *symbols_of_glob(resource))


def symbols_in_any_case(text: str) -> tuple[Symbol, ...]:
    """Return the symbols of a text in ASCII whose case does not matter."""
    return tuple(_cases(character) for character in text.lower())


def is_comparable(text: str) -> bool:
    """Return whether each character of a text is one unit for `?`."""
    return not text or max(text) <= _LAST_OF_FIRST_PLANE


def _wild(character: str, run: int, any_one: int) -> Symbol:
    return run if character == "*" else any_one if character == "?" else character


def _cases(character: str) -> Symbol:
    cases = {character, character.upper(), *(_KELVIN if character == "k" else "")}
    return frozenset(cases) if len(cases) > 1 else character


ANY_ARN: Final[tuple[Symbol, ...]] = (*(FIELD_RUN, ":") * (PARTS - 1), RUN)
"""Every text with the six parts of an ARN."""


@record
class _Pattern:
    """The symbols of a pattern, with the characters before its first and after its last other symbol."""

    symbols: tuple[Symbol, ...]
    prefix: str
    suffix: str

    @property
    def is_text(self) -> bool:
        """Whether the pattern matches only one text."""
        return len(self.prefix) == len(self.symbols)

    def may_meet(self, other: _Pattern) -> bool:
        """Return whether no character at the ends of two patterns keeps them from matching the same text."""
        return (self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)) and (
            self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix)
        )


def _pattern(symbols: tuple[Symbol, ...]) -> _Pattern:
    return _Pattern(symbols, "".join(_literals(symbols)), "".join(_literals(reversed(symbols)))[::-1])


def _literals(symbols: Iterable[Symbol]) -> Iterator[str]:
    for symbol in symbols:
        if not isinstance(symbol, str):
            return
        yield symbol


class Language:
    """The texts that at least one of some patterns matches."""

    __slots__ = ("_automaton", "patterns", "texts")

    def __init__(self, patterns: Iterable[tuple[Symbol, ...]]) -> None:
        self.patterns = tuple(map(_pattern, dict.fromkeys(patterns)))
        self._automaton: _Automaton | None = None
        literal = all(pattern.is_text for pattern in self.patterns)
        self.texts = frozenset(pattern.prefix for pattern in self.patterns) if literal else None
        """The texts, None if they are described by wildcards."""

    @property
    def automaton(self) -> _Automaton:
        """The automaton of the patterns."""
        if self._automaton is None:
            self._automaton = _Automaton([pattern.symbols for pattern in self.patterns])
        return self._automaton

    def matches(self, text: str) -> bool:
        """Return whether the set contains a text."""
        return text in self.texts if self.texts is not None else self.automaton.matches(text)

    def near(self, other: Language) -> Language:
        """Return the patterns that may match a text of another set; if these are all, the set itself."""
        found = [one for one in self.patterns if any(map(one.may_meet, other.patterns))]
        return self if len(found) == len(self.patterns) else Language(pattern.symbols for pattern in found)

    def has_all_patterns_of(self, other: Language) -> bool:
        """Return whether each pattern of another set is one of this set."""
        return set(other.patterns) <= set(self.patterns)

    def is_plainly_within(self, other: Language) -> bool:
        """Return whether each pattern is matched by another set as if its wildcards were letters: the usual case."""
        automaton = other.automaton
        return all(automaton.contains(pattern.symbols) for pattern in self.patterns)

    @property
    def is_empty(self) -> bool:
        """Whether the set has no pattern."""
        return not self.patterns

    def __len__(self) -> int:
        return len(self.patterns)


def union(languages: Sequence[Language]) -> Language:
    """Return the texts of all of some sets."""
    if len(languages) == 1:
        return languages[0]
    return Language(pattern.symbols for language in languages for pattern in language.patterns)


class _Automaton:
    """The union of patterns. A state is a position in one of them."""

    __slots__ = (
        "_any",
        "_by_character",
        "_field_any",
        "_field_loops",
        "_loops",
        "characters",
        "final",
        "rest",
        "start",
    )

    def __init__(self, patterns: Iterable[Sequence[Symbol]]) -> None:
        starts, finals, loops, field_loops, rest = [], [], [], [], []
        consuming: dict[Symbol, list[int]] = {}
        state = 0
        for pattern in patterns:
            starts.append(state)
            for symbol in pattern:
                if symbol == RUN:
                    loops.append(state)
                elif symbol == FIELD_RUN:
                    field_loops.append(state)
                else:
                    consuming.setdefault(symbol, []).append(state)
                    state += 1
            finals.append(state)
            if pattern and pattern[-1] == RUN:
                rest.append(state)
            state += 1
        self.start, self.final, self.rest = bits_at(starts, state), bits_at(finals, state), bits_at(rest, state)
        self._loops, self._field_loops = bits_at(loops, state), bits_at(field_loops, state)
        self._any = bits_at(consuming.pop(ANY, ()), state)
        self._field_any = bits_at(consuming.pop(FIELD_ANY, ()), state)
        self._by_character: dict[str, int] = {}
        for symbol, states in consuming.items():
            mask = bits_at(states, state)
            for character in symbol if isinstance(symbol, frozenset) else (str(symbol),):
                self._by_character[character] = self._by_character.get(character, 0) | mask
        self.characters = frozenset(self._by_character)

    def step(self, states: int, character: str) -> int:
        """Return the states after one more character."""
        following, loops = self._by_character.get(character, 0) | self._any, self._loops
        if character != ":":
            following |= self._field_any
            loops |= self._field_loops
        return (states & following) << 1 | states & loops

    def contains(self, pattern: Iterable[Symbol]) -> bool:
        """Return whether one of the patterns matches what another one matches: its wildcards meet only wildcards."""
        states = self.start
        fields, loops = self._any | self._field_any, self._loops | self._field_loops
        for symbol in pattern:
            if symbol == RUN:
                states &= self._loops
            elif symbol == FIELD_RUN:
                states &= loops
            elif symbol == ANY:
                states = (states & self._any) << 1 | states & self._loops
            elif symbol == FIELD_ANY:
                states = (states & fields) << 1 | states & loops
            else:
                letters = symbol if isinstance(symbol, frozenset) else (str(symbol),)
                after = [self.step(states, letter) for letter in letters]
                states = after[0]
                for each in after:
                    states &= each
            if not states:
                return False
        return states & self.final != 0

    def named(self, states: int) -> list[str]:
        """Return the characters that the patterns name next."""
        return [character for character, mask in self._by_character.items() if states & mask]

    def needs_named(self, states: int) -> bool:
        """Return whether only these characters can follow."""
        return not states & (self._loops | self._field_loops | self._any | self._field_any)

    def matches(self, text: str) -> bool:
        states = self.start
        for character in text:
            states = self.step(states, character)
            if not states:
                return False
        return states & self.final != 0


def exists(required: Sequence[Language], excluded: Sequence[Language], budget: Budget) -> bool:  # noqa: PLR0911 - one return a case
    """Return whether a text is in each of the required sets and in none of the excluded ones."""
    patterns = sum(map(len, excluded))
    budget.spend(LETTER * (1 + len(required) + len(excluded)))
    if any(language.is_empty for language in required):
        return False
    listed = [language.texts for language in required if language.texts is not None]
    if listed:
        budget.spend(min(map(len, listed)) * (len(required) + len(excluded)))
        return any(
            all(language.matches(text) for language in required)
            and not any(language.matches(text) for language in excluded)
            for text in min(listed, key=len)
        )
    budget.spend(sum(map(len, required)) * (sum(map(len, required)) + patterns) // _PAIRS)
    for language in required:
        for other in required:
            if other is not language and other.near(language).is_empty:
                return False
        if any(other.has_all_patterns_of(language) for other in excluded):
            return False
    left = excluded
    if required:
        left = [near for language in excluded if not (near := language.near(required[0])).is_empty]
    if not left:
        return len(required) <= 1 or _search([each.automaton for each in required], Language(()).automaton, budget)
    others = union(left)
    budget.spend(sum(len(pattern.symbols) for pattern in others.patterns) // _MASKS)
    if any(language.is_plainly_within(others) for language in required):
        return False
    return _search([language.automaton for language in required], others.automaton, budget)


def _search(required: Sequence[_Automaton], excluded: _Automaton, budget: Budget) -> bool:
    """Follow all automata at once, each combination of their states once."""
    another = _another(frozenset(excluded.characters).union(*(each.characters for each in required)))
    looked_up = sum(len(each.characters) for each in (excluded, *required)) // _MASKS
    first = (*(automaton.start for automaton in required), excluded.start)
    seen, waiting = {first}, [first]
    while waiting:
        *states, out = waiting.pop()
        ends = all(mask & each.final for mask, each in zip(states, required, strict=True))
        if ends and not out & excluded.final:
            return True
        if not out and len(states) <= 1:
            return True  # every state of a pattern leads to its end
        letters = _following(required, states, excluded.named(out), another)
        budget.spend(LETTER * len(letters) + looked_up)
        for letter in letters:
            after = [each.step(mask, letter) for each, mask in zip(required, states, strict=True)]
            if not all(after):
                continue
            out_after = excluded.step(out, letter)
            if out_after & excluded.rest:  # an excluded pattern matches, whatever follows
                continue
            combined = (*after, out_after)
            if combined not in seen:
                seen.add(combined)
                waiting.append(combined)
    return False


def _following(required: Sequence[_Automaton], states: list[int], named: list[str], another: str) -> list[str]:
    """Return the characters that can follow and that the automata distinguish, the one that none names at the end."""
    for automaton, mask in zip(required, states, strict=True):
        if automaton.needs_named(mask):
            return automaton.named(mask)
    found = dict.fromkeys(named)
    for automaton, mask in zip(required, states, strict=True):
        found.update(dict.fromkeys(automaton.named(mask)))
    found.setdefault(":")
    return [*found, another]


def _another(alphabet: frozenset[str]) -> str:
    """Return a character that is not in an alphabet, and not a colon."""
    return next(letter for letter in map(chr, range(ord("a"), ord(_LAST_OF_FIRST_PLANE))) if letter not in alphabet)
