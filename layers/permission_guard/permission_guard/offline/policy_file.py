"""Read the policies that apply to a request from a file.

The file is JSON: a policy document, a list of policy documents, or an object with the policies by kind:

    {"identity": [...], "boundary": {...}, "session": {...}, "scps": [[...], [...]], "rcps": [[...]], "resource": {...}}

`scps` and `rcps` are levels, from the organization's root down to the account. A document is an object or JSON text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from permission_guard.errors import PolicyFileError
from permission_guard.iam import Policy, PolicySet, parse_policy

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = frozenset({"identity", "boundary", "session", "scps", "rcps", "resource"})


def read_policies(path: Path) -> PolicySet:
    """Read a file of policies. PolicyFileError if it is not one."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise PolicyFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PolicyFileError(f"{path}: not JSON: {error}") from error
    if isinstance(content, dict) and "Statement" not in content:
        return _by_kind(content, path)
    return PolicySet(identity=_policies(content, "policy"))


def _by_kind(content: dict[str, Any], path: Path) -> PolicySet:
    unknown = sorted(set(content) - _KINDS)
    if unknown or not content:
        known = ", ".join(sorted(_KINDS))
        problem = f"unknown keys: {', '.join(unknown)}" if unknown else "the object is empty"
        raise PolicyFileError(f"{path}: {problem}. Give a policy, a list of policies, or an object with {known}")
    return PolicySet(
        identity=_policies(content.get("identity", []), "identity"),
        boundary=_policy(content, "boundary"),
        session=_policy(content, "session"),
        scps=_levels(content, "scps", path),
        rcps=_levels(content, "rcps", path),
        resource=_policy(content, "resource"),
    )


def _policy(content: dict[str, Any], kind: str) -> Policy | None:
    return parse_policy(content[kind], name=kind) if content.get(kind) is not None else None


def _policies(content: Any, name: str) -> tuple[Policy, ...]:
    documents = content if isinstance(content, list) else [content]
    return tuple(parse_policy(document, name=f"{name} {number}") for number, document in enumerate(documents, start=1))


def _levels(content: dict[str, Any], kind: str, path: Path) -> tuple[tuple[Policy, ...], ...]:
    levels = content.get(kind, [])
    if not isinstance(levels, list) or not all(isinstance(level, list) for level in levels):
        raise PolicyFileError(f"{path}: {kind} must be a list of levels, each a list of policies")
    return tuple(_policies(level, f"{kind} level {number}") for number, level in enumerate(levels, start=1))
