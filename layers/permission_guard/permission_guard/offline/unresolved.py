"""Values that a template does not contain, in the middle of texts, and what a scenario assumes about them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

OPEN: Final = "\ue000"
CLOSE: Final = "\ue001"
UNRESOLVED: Final = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")

_MARKS: Final = str.maketrans(dict.fromkeys((OPEN, CLOSE), "\ufffd"))
_PLAIN: Final = re.compile(r"[\w:./${}@*!-]+", re.ASCII)
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A value that the file does not contain.

    `own`: it belongs to a resource that the same stack creates, and so to the own account. `allowed` has the possible
    values if the template lists them.
    """

    name: str
    own: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """Whether two texts are equal, or a condition that cannot be read is true: the file does not say."""

    left: str
    right: str = ""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a scenario assumes: the values of references, and the answers to questions."""

    values: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[Question, bool] = field(default_factory=dict)

    def binding(self, values: Mapping[str, str]) -> Assumptions:
        """Return the assumptions with more values."""
        return replace(self, values={**self.values, **values})

    def answering(self, question: Question, *, answer: bool) -> Assumptions:
        """Return the assumptions with one more answer."""
        return replace(self, answers={**self.answers, question: answer})

    def agree_with(self, other: Assumptions) -> bool:
        """Return whether both can be true in one scenario."""
        answers = all(other.answers.get(question, answer) is answer for question, answer in self.answers.items())
        values = all(other.values.get(name, value) == value for name, value in self.values.items())
        return answers and values and self.admit(other.values) and other.admit(self.values)

    def admit(self, values: Mapping[str, str]) -> bool:
        """Return whether none of these values was excluded by an answer."""
        return not any(self.answers.get(question_of(marked(name), value)) is False for name, value in values.items())


def text(value: JSON) -> str:
    """Return a scalar as CloudFormation writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(value: JSON) -> list[JSON]:
    """Return a list, or a list of a single value."""
    return value if isinstance(value, list) else [] if value is None else [value]


def unresolved_in(value: JSON) -> dict[str, None]:
    """Return the names of the unresolved values in a value, in order of appearance."""
    if isinstance(value, str):
        return dict.fromkeys(UNRESOLVED.findall(value))
    parts = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name: None for part in parts for name in unresolved_in(part)}


def without_marks(value: JSON) -> JSON:
    """Return a document without the two private characters that mark unresolved values."""
    if isinstance(value, str):
        return value.translate(_MARKS) if OPEN in value or CLOSE in value else value
    if isinstance(value, list):
        return [without_marks(item) for item in value]
    return (
        {without_marks(key): without_marks(item) for key, item in value.items()} if isinstance(value, dict) else value
    )


def sole_unresolved(value: JSON) -> str | None:
    """Return the name of the unresolved value that is the whole text, None if there is none."""
    match = UNRESOLVED.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def begins_with(value: str) -> str | None:
    """Return the name of the unresolved value at the beginning of a text, None if there is none."""
    match = UNRESOLVED.match(value)
    return match[1] if match else None


def fill(value: JSON, fills: Mapping[str, str]) -> JSON:
    """Replace unresolved values by texts; one without a text becomes `${NAME}`."""
    if isinstance(value, str):
        return UNRESOLVED.sub(lambda match: fills.get(match[1], f"${{{match[1]}}}"), value)
    if isinstance(value, list):
        return [fill(item, fills) for item in value]
    if isinstance(value, dict):
        return {fill(key, fills): fill(item, fills) for key, item in value.items()}
    return value


def named(value: str) -> str:
    """Return a text with the names of its unresolved values. A literal `${P}` stays another one than a reference."""
    parts = UNRESOLVED.split(value)
    return "".join(f"${{{part}}}" if number % 2 else part.replace("${", "${!") for number, part in enumerate(parts))


def written(value: JSON) -> str:
    """Return an expression as text; different values have different texts."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{written(key)}: {written(item)}' for key, item in value.items())}}}"
    plain = named(text(value))
    return plain if _PLAIN.fullmatch(plain) else json.dumps(plain, ensure_ascii=False)


def shortened(name: str) -> str:
    """Return a name of limited length, with a hash of what is left out."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 12]}… {hashlib.sha256(name.encode()).hexdigest()[:8]}"


def marked(name: str) -> str:
    """Return the text that stands for an unresolved value."""
    return f"{OPEN}{name}{CLOSE}"


def question_of(left: str, right: str) -> Question:
    """Return the question whether two texts are equal, in either order."""
    return Question(*sorted((left, right)))
