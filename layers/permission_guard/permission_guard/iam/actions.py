"""The Action and NotAction elements: which actions a statement applies to.

Actions are not case-sensitive. `*` and `*:*` match every action. In all other values the service prefix is literal and
only the name can contain wildcards. A value that contains white space, or has no colon or no name, matches no action.
"""

from __future__ import annotations

from permission_guard.iam.glob import Glob, compile_glob
from permission_guard.iam.logic import FALSE, TRUE
from permission_guard.iam.patterns import PatternGroups, symbols_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

_FEW: Final = 16
"""Up to so many patterns it is faster to compare with each than with all at once."""


class ActionSet:
    """The values of one Action or NotAction element.

    `prefix_wildcard` is the result of a match by a wildcard in the service prefix, which AWS does not document.
    """

    __slots__ = ("_everything", "_exact", "_names", "_prefix_wildcard", "_whole")

    def __init__(self, values: Iterable[str], *, prefix_wildcard: int = FALSE) -> None:
        exact: set[str] = set()
        names: dict[str, list[str]] = {}
        whole: list[Glob] = []
        self._everything = False
        for value in values:
            text = value.lower()
            if "*" not in text and "?" not in text:
                exact.add(text)
                continue
            service, _, name = text.partition(":")
            if not text.strip("*") or (service == "*" and name and not name.strip("*")):
                self._everything = True
            elif not name or len(text.split()) != 1 or text != text.strip():
                continue
            elif "*" in service or "?" in service:
                whole.append(compile_glob(text))
            else:
                names.setdefault(service, []).append(name)
        self._exact = frozenset(exact)
        self._names = {service: _any_of(patterns) for service, patterns in names.items()}
        self._whole = whole
        self._prefix_wildcard = prefix_wildcard

    def match(self, action: str) -> int:
        """Return whether the set contains an action, which must be in lower case."""
        if self._everything or action in self._exact:
            return TRUE
        service, _, name = action.partition(":")
        matches = self._names.get(service)
        if matches is not None and matches(name):
            return TRUE
        for glob in self._whole:
            if glob.matches(action):
                return self._prefix_wildcard
        return FALSE


def _any_of(patterns: list[str]) -> Callable[[str], object]:
    """Return the function that tells whether one of the patterns matches a name."""
    if len(patterns) > _FEW:
        return PatternGroups([map(symbols_of, patterns)]).within
    globs = [compile_glob(pattern) for pattern in patterns]
    return lambda name: any(glob.matches(name) for glob in globs)


def action_problem(value: str) -> str:
    """Return why AWS rejects the value of an Action element, or an empty string if it is valid."""
    if not value.strip("*"):
        return "" if value else "an action is empty"
    service, colon, name = value.partition(":")
    if not colon or not name or not service:
        return f"the action {value!r} is not of the form service:name"
    if len(value.split()) > 1 or value != value.strip():
        return f"the action {value!r} contains white space"
    if ("*" in service or "?" in service) and value.replace("*", "") != ":":
        return f"the action {value!r} has a wildcard in its service prefix"
    return ""
