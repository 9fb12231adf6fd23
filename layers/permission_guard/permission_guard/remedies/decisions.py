"""What a person must decide before a remedy: the texts change nothing if they are pasted as they are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.model.verdicts import Remedy

PLACEHOLDER: Final = re.compile(r"<[A-Z][A-Z0-9-]*>")
"""The mark for what a person must fill in."""


def placeholder(name: str) -> str:
    """Return the mark for what a person must fill in, such as `<BUCKET-NAME>`."""
    return f"<{name}>"


def commented(text: str, mark: str = "#") -> str:
    """Return a text as comments: by default of a shell, of YAML and of Terraform."""
    return "\n".join(f"{mark} {line}".rstrip() for line in text.split("\n"))


def comment_mark(remedy: Remedy) -> str:
    """Return how a comment begins in the language of a remedy."""
    return "//" if remedy.kind == "cdk" else "#"


def to_fill_in(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Return remedies, those with something to fill in as comments that say so. JSON has no comments and stays."""
    return tuple(_to_fill_in(remedy) for remedy in remedies)


def _to_fill_in(remedy: Remedy) -> Remedy:
    marks = list(dict.fromkeys(PLACEHOLDER.findall(remedy.text)))
    if not marks or remedy.needs_decision:
        return remedy
    if remedy.kind == "policy-statement":
        return replace(remedy, needs_decision=True)
    mark = comment_mark(remedy)
    head = f"Replace {' and '.join(marks)}, and remove the {mark} at the start of each line:"
    return replace(remedy, text=commented(f"{head}\n{remedy.text}", mark), needs_decision=True)


def choices(*options: tuple[str, str]) -> str:
    """Return commands to choose from, each after what it does, as comments."""
    first, *others = [f"{what}:\n{command}" for what, command in options]
    return commented("\n".join([f"Choose one of these. {first}", *(f"Or: {other}" for other in others)]))
