"""Parts of a function's configuration, as GetFunctionConfiguration returns it and as templates write it.

What a template leaves open may be anything, and counts as not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from permission_guard.model.state import Function


def part(function: Function, name: str) -> dict[str, Any]:
    """Return an object of the configuration, an empty one where there is none."""
    found = function.configuration.get(name)
    return found if isinstance(found, dict) else {}


def has_layer(function: Function, name: str) -> bool:
    """Tell whether the function has a layer whose name begins like this, of whichever account.

    AWS publishes its layers from an account a region.
    """
    return any(f":layer:{name}" in arn for arn in _arns(function, "Layers"))


def access_points(function: Function, service: str) -> list[str]:
    """Return the ARNs of the access points of a service through which the function mounts file systems."""
    return [arn for arn in _arns(function, "FileSystemConfigs") if arn.split(":")[2:3] == [service]]


def arn_of(function: Function, service: str, resource: str) -> str:
    """Return the ARN of a resource of the function's region and account."""
    partition, _, region, account = function.arn.split(":")[1:5]
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


def _arns(function: Function, name: str) -> list[str]:
    """Return the ARNs of a list of the configuration; templates write those of layers without an object around."""
    entries = function.configuration.get(name)
    arns = [
        entry.get("Arn") if isinstance(entry, dict) else entry
        for entry in (entries if isinstance(entries, list) else ())
    ]
    return [arn for arn in arns if isinstance(arn, str)]
