"""Policy documents: from every form in which AWS returns them to statements that can be evaluated.

boto3 returns policies as objects, CloudTrail records contain them as JSON text, and the IAM API returns them as
URL-encoded JSON text.
"""

from __future__ import annotations

from functools import lru_cache

from permission_guard.iam.context import shown
from permission_guard.iam.logic import FALSE
from permission_guard.iam.statements import ALLOW, DENY, Statement, Twice, parse_statement
from permission_guard.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

VARIABLES_VERSION: Final = "2012-10-17"
_VERSIONS: Final = (VARIABLES_VERSION, "2008-10-17")
_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
_MOST_STATEMENTS: Final = 1000
"""More than the largest policy that any AWS service accepts has room for."""
_CACHED_TEXTS: Final = 4096
_CACHED_ACTIONS: Final = 512

Spoken = tuple[tuple[Statement, int], ...]
"""The statements that can apply to an action, each with TRUE or UNKNOWN."""


@record
class Policy:
    """A policy. `document` is the parsed JSON, or None if there is none. `problems` say what is invalid in it.

    `unreadable`: the content is unknown, so that the policy can allow or deny anything.
    """

    name: str
    document: object = field(hash=False)
    statements: tuple[Statement, ...] = field(hash=False)
    problems: tuple[str, ...]
    unreadable: bool = False
    knows_variables: bool = False
    _spoken: dict[str, tuple[Spoken, Spoken]] = field(default_factory=dict, compare=False, repr=False)

    def speaking_of(self, action: str) -> tuple[Spoken, Spoken]:
        """Return the statements that can deny an action, which must be in lower case, and those that can allow it."""
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
    """Parse a policy document: an object, JSON text, URL-encoded JSON text or bytes.

    Never raises. What is invalid is listed in `problems` and never allows anything. The policy of a text is cached.
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
    """Return a policy that exists but could not be read: every result that can depend on it is CONDITIONAL."""
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
            document = json.loads(candidate, object_pairs_hook=_object, parse_constant=_reject)
        except (ValueError, RecursionError) as error:
            reason = reason or f"the document is not JSON: {error}"
        else:
            return _from_json(document, name)
    return unread_policy(name, reason)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Twice(value)


def _reject(constant: str) -> object:
    raise ValueError(f"{constant} is not valid in JSON")


def _from_json(document: object, name: str) -> Policy:
    if not isinstance(document, dict):
        return unread_policy(name, "the document is not a JSON object")
    if isinstance(document, Twice) or not document.keys() <= _ELEMENTS:
        return Policy(name, document, (), ("an element is unknown or appears twice",), unreadable=True)
    problems: list[str] = []
    version = document.get("Version")
    if version is not None and version not in _VERSIONS:
        problems.append(f"Version {shown(version)} is invalid")
    raw = document.get("Statement", ())
    if "Statement" not in document:
        problems.append("the document has no Statement element")
    elif isinstance(raw, dict):
        raw = (raw,)
    elif not isinstance(raw, (list, tuple)):
        return Policy(name, document, (), ("Statement is neither an object nor a list",), unreadable=True)
    if len(raw) > _MOST_STATEMENTS:
        return Policy(name, document, (), (f"more than {_MOST_STATEMENTS:,} statements",), unreadable=True)
    variables = version == VARIABLES_VERSION
    statements = tuple(parse_statement(item, index, variables=variables) for index, item in enumerate(raw))
    for statement in statements:
        problems += [f"statement {_label(statement)}: {problem}" for problem in statement.problems]
    return Policy(name, document, statements, tuple(problems), knows_variables=variables)


def _label(statement: Statement) -> str:
    return statement.sid or str(statement.index)
