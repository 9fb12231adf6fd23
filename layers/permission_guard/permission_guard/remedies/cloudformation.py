"""CloudFormation and SAM, in YAML. Only this module writes it, so that every value stays a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.quoting import document, escaped, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON

_PLAIN: Final = re.compile(r"[A-Za-z][\w:./@-]*(?<!:)", re.ASCII)
# Words that YAML 1.1 does not read as a string.
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
# CloudFormation evaluates these wherever they are, and knows no escape for them.
_EVALUATED: Final = re.compile(r'\{\{resolve:|"(?:Ref|Fn::[^"\\]*)":')


def resource(kind: str, properties: Mapping[str, JSON]) -> str:
    """Return a resource without its logical ID."""
    return "\n".join(
        [f"Type: {kind}", "Properties:", *(f"  {name}: {value_of(value)}" for name, value in properties.items())]
    )


def value_of(value: JSON) -> str:
    """Return a value on one line; a document as JSON, which is valid YAML."""
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return str(value) if is_plain else document(value, quoted)


def comment(text: str) -> str:
    """Return a comment; it stays on one line."""
    return f"# {escaped(text)}"


def sam(text: str, *, needs_decision: bool = False, changes: str = "") -> tuple[Remedy, ...]:
    """Return the remedy, or none if CloudFormation would replace a part of a value by something else.

    A foreign text such as `{{resolve:secretsmanager:orders}}` would put a secret into a policy.
    """
    return () if _EVALUATED.search(text) else (Remedy("sam", text, needs_decision, changes),)
