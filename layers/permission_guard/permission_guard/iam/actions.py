"""The Action and NotAction elements: which actions a statement speaks of.

Actions are compared without regard to case. `*` and `*:*` are everything; elsewhere the service prefix is literal and
only the name may hold wildcards. What holds white space, lacks the colon or the name matches nothing.
"""

from __future__ import annotations

from permission_guard.iam.glob import Glob, compile_glob
from permission_guard.iam.logic import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class ActionSet:
    """The values of one Action or NotAction element.

    `doubtful` is the answer where a wildcard in the service prefix would match: AWS documents no such thing.
    """

    __slots__ = ("_doubtful", "_everything", "_exact", "_odd", "_wild")

    def __init__(self, values: Iterable[str], *, doubtful: int = FALSE) -> None:
        exact: set[str] = set()
        wild: dict[str, list[Glob]] = {}
        odd: list[Glob] = []
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
                odd.append(compile_glob(text))
            else:
                wild.setdefault(service, []).append(compile_glob(name))
        self._exact = frozenset(exact)
        self._wild = wild
        self._odd = odd
        self._doubtful = doubtful

    def match(self, action: str) -> int:
        """Tell whether an action, in lower case, is in the set."""
        if self._everything or action in self._exact:
            return TRUE
        service, _, name = action.partition(":")
        for glob in self._wild.get(service, ()):
            if glob.matches(name):
                return TRUE
        for glob in self._odd:
            if glob.matches(action):
                return self._doubtful
        return FALSE


def action_problem(value: str) -> str:
    """Say why AWS would refuse an action, or return an empty text."""
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
