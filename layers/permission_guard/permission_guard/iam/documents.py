"""Policy documents: from whatever AWS hands out to statements that can be evaluated.

boto3 hands out managed policies as objects, CloudTrail as text, and the IAM API as URL-encoded text.
"""

from __future__ import annotations

from functools import lru_cache

from permission_guard.iam.logic import FALSE
from permission_guard.iam.statements import ALLOW, DENY, Statement, Twice, parse_statement
from permission_guard.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

VARIABLES_VERSION: Final = "2012-10-17"
_VERSIONS: Final = (VARIABLES_VERSION, "2008-10-17")
_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
_CACHED_TEXTS: Final = 4096
_CACHED_ACTIONS: Final = 512

Spoken = tuple[tuple[Statement, int], ...]
"""Statements that may speak of an action, each with how sure that is."""


@record
class Policy:
    """A policy. `document` is the parsed JSON, or None where there is none; `problems` say what could not be read.

    `unreadable`: nothing is known of what the document says, so that it may allow or deny anything.
    """

    name: str
    document: object = field(hash=False)
    statements: tuple[Statement, ...] = field(hash=False)
    problems: tuple[str, ...]
    unreadable: bool = False
    knows_variables: bool = False
    _spoken: dict[str, tuple[Spoken, Spoken]] = field(default_factory=dict, compare=False, repr=False)

    def speaking_of(self, action: str) -> tuple[Spoken, Spoken]:
        """Return the statements that may deny, and those that may allow, an action given in lower case."""
        spoken = self._spoken.get(action)
        if spoken is None:
            matches = [(statement, statement.match_action(action)) for statement in self.statements]
            spoken = (
                tuple(match for match in matches if match[1] != FALSE and match[0].effect != ALLOW),
                tuple(match for match in matches if match[1] != FALSE and match[0].effect != DENY),
            )
            if len(self._spoken) < _CACHED_ACTIONS:
                self._spoken[action] = spoken
        return spoken


def parse_policy(document: object, *, name: str = "") -> Policy:
    """Read a policy document: an object, JSON text, URL-encoded JSON text or bytes.

    Never raises. What cannot be read is listed in `problems` and never allows anything. Texts are cached.
    """
    if isinstance(document, (bytes, bytearray)):
        try:
            document = bytes(document).decode("utf-8-sig")
        except UnicodeDecodeError:
            return unread_policy(name, "the document is not UTF-8")
    if isinstance(document, str):
        return _parse_text(document, name)
    return _from_json(document, name)


def unread_policy(name: str, reason: str) -> Policy:
    """Return a policy that exists but could not be read: every answer that could hinge on it is CONDITIONAL."""
    return Policy(name, None, (), (reason,), unreadable=True)


@lru_cache(maxsize=_CACHED_TEXTS)
def _parse_text(text: str, name: str) -> Policy:
    import json  # noqa: PLC0415 - only policies that arrive as text need it

    stripped = text.strip().removeprefix("\ufeff")
    candidates = [stripped]
    if "%" in stripped:
        from urllib.parse import unquote, unquote_plus  # noqa: PLC0415 - only URL-encoded policies need it

        candidates = [*([] if stripped.startswith("%") else candidates), unquote(stripped), unquote_plus(stripped)]
    reason = ""
    for candidate in candidates:
        try:
            document = json.loads(candidate, object_pairs_hook=_object, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            reason = reason or f"the document is not JSON: {error}"
        else:
            return _from_json(document, name)
    return unread_policy(name, reason)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Twice(value)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _from_json(document: object, name: str) -> Policy:
    if not isinstance(document, dict):
        return unread_policy(name, "the document is not an object")
    if isinstance(document, Twice) or not document.keys() <= _ELEMENTS:
        return Policy(name, document, (), ("an element is unknown or appears twice",), unreadable=True)
    problems: list[str] = []
    version = document.get("Version")
    if version is not None and version not in _VERSIONS:
        problems.append(f"the version {version!r} does not exist")
    raw = document.get("Statement", ())
    if "Statement" not in document:
        problems.append("there is no Statement")
    elif isinstance(raw, dict):
        raw = (raw,)
    elif not isinstance(raw, (list, tuple)):
        return Policy(name, document, (), ("Statement is neither an object nor a list",), unreadable=True)
    variables = version == VARIABLES_VERSION
    statements = tuple(parse_statement(item, index, variables=variables) for index, item in enumerate(raw))
    for statement in statements:
        problems += [f"statement {_label(statement)}: {problem}" for problem in statement.problems]
    return Policy(name, document, statements, tuple(problems), knows_variables=variables)


def _label(statement: Statement) -> str:
    return statement.sid or str(statement.index)
