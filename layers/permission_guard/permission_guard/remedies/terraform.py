"""Terraform's language (HCL). Only this module writes it, so that Terraform evaluates nothing in a foreign text."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from permission_guard.remedies.quoting import document, escaped, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.model.targets import JSON

_MOST_LABEL: Final = 60


class Expression(str):
    """A reference or a function call, written as it is. It must not contain a text from AWS."""

    __slots__ = ()


def resource(kind: str, names: Sequence[str], /, **arguments: JSON) -> str:
    """Return a resource block; arguments without a value are omitted.

    The names, any texts, become its label, which differs from that of any other block.
    """
    lines = [f"  {line}" for argument in _arguments(arguments) for line in argument.split("\n")]
    return "\n".join([f'resource "{kind}" "{label(names, *lines)}" {{', *lines, "}"])


def change(kind: str, of: str, /, **arguments: JSON) -> str:
    """Return arguments to set in a resource block that exists already; a second block would be another resource."""
    return "\n".join([f"# In the existing {kind} of {escaped(of)}, set:", *_arguments(arguments)])


def label(names: Iterable[str], *content: str) -> str:
    """Return the label of a resource: readable, and different for each content."""
    words = re.sub(r"[\W_]+", "_", "_".join(names), flags=re.ASCII).strip("_").lower()[:_MOST_LABEL].strip("_")
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:8]
    return f"{words}_{digest}" if words[:1].isalpha() else f"permission_{digest}"


def _arguments(arguments: Mapping[str, JSON]) -> list[str]:
    given = {key: value for key, value in arguments.items() if value not in ("", None, False)}
    width = max(map(len, given))
    return [f"{key.ljust(width)} = {_written(value)}" for key, value in given.items()]


def jsonencode(policy: JSON) -> Expression:
    """Return the expression for a policy document. Terraform does not evaluate IAM's policy variables."""
    return Expression(f"jsonencode({document(policy, _string, indent=2)})")


def reference(block: str, attribute: str) -> Expression:
    """Return the expression for an attribute of the resource that a block declares."""
    _, kind, _, name, _ = block.split('"', 4)
    return Expression(f"{kind}.{name}.{attribute}")


def _written(value: JSON) -> str:
    return value if isinstance(value, Expression) else document(value, _string)


def _string(text: str) -> str:
    return quoted(text).replace("${", "$${").replace("%{", "%%{")
