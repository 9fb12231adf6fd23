"""Read parts of a function's configuration, as GetFunctionConfiguration returns it and as templates write it.

An unresolved value of a template can have any type, and counts as missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.iam.arn import require_arn, split_arn

if TYPE_CHECKING:
    from permission_guard.model.state import Function


def part(function: Function, name: str) -> dict[str, Any]:
    """Return an object of the configuration, empty if there is none."""
    found = function.configuration.get(name)
    return found if isinstance(found, dict) else {}


def has_layer(function: Function, name: str) -> bool:
    """Return whether the function has a layer whose name begins with `name`, of any account.

    AWS publishes its layers from one account per region.
    """
    return any(f":layer:{name}" in arn for arn in _arns(function, "Layers"))


def access_points(function: Function, service: str) -> list[str]:
    """Return the ARNs of a service's access points through which the function mounts file systems."""
    return [arn for arn in _arns(function, "FileSystemConfigs") if split_arn(arn)[2:3] == [service]]


def arn_of(function: Function, service: str, resource: str) -> str:
    """Return the ARN of a resource in the function's region and account."""
    own = require_arn(function.arn)
    return f"arn:{own.partition}:{service}:{own.region}:{own.account}:{resource}"


def _arns(function: Function, name: str) -> list[str]:
    """Return the ARNs of a list in the configuration; templates write layer ARNs without an object around them."""
    entries = function.configuration.get(name)
    arns = [
        entry.get("Arn") if isinstance(entry, dict) else entry
        for entry in (entries if isinstance(entries, list) else ())
    ]
    return [arn for arn in arns if isinstance(arn, str)]
