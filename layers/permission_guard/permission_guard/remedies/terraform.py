"""Terraform's language (HCL). Only this module writes it, so that Terraform evaluates nothing in a foreign text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from permission_guard.remedies.quoting import document, quoted

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON


class Expression(str):
    """A reference or a function call, written as it is. It must not contain a text from AWS."""

    __slots__ = ()


def resource(kind: str, name: str, /, **arguments: JSON) -> str:
    """Return a resource block; arguments without a value are omitted.

    Any text becomes a valid name of the resource.
    """
    given = {key: value for key, value in arguments.items() if value not in ("", None, False)}
    width = max(map(len, given))
    lines = [f"  {key.ljust(width)} = {_written(value)}" for key, value in given.items()]
    return "\n".join([f'resource "{kind}" "{_name(name)}" {{', *lines, "}"])


def jsonencode(policy: JSON) -> Expression:
    """Return the expression for a policy document. Terraform does not evaluate IAM's policy variables."""
    written = document(policy, _string, indent=2).replace("\n", "\n  ")
    return Expression(f"jsonencode({written})")


def toset(items: JSON) -> Expression:
    """Return the expression for a set."""
    return Expression(f"toset({document(items, _string)})")


def _written(value: JSON) -> str:
    return value if isinstance(value, Expression) else document(value, _string)


def _string(text: str) -> str:
    return quoted(text).replace("${", "$${").replace("%{", "%%{")


def _name(text: str) -> str:
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return name if name[:1].isalpha() else f"permission_{name}".rstrip("_")
