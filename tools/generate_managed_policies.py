"""Compile the AWS managed policies of moto's copy for `offline/managed_policies.py`."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from moto.iam.aws_managed_policies import aws_managed_policies_data

if TYPE_CHECKING:
    from collections.abc import Mapping

_ELEMENTS: Final = ("Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_VERSION: Final = "2012-10-17"


def compiled() -> str:
    """Return the statements of every policy by its path and name, with the copy's version and its last update."""
    copy: dict[str, dict[str, Any]] = json.loads(aws_managed_policies_data)
    policies = {f"{one['Path']}{name}".lstrip("/"): _statements(one["Document"]) for name, one in copy.items()}
    return json.dumps(
        {
            "source": f"moto {version('moto')}",
            "date": max(one["UpdateDate"] for one in copy.values())[:10],
            "policies": dict(sorted(policies.items())),
        },
        separators=(",", ":"),
        sort_keys=True,
    )


def _statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what decides: the elements of the statements, without their names."""
    if document["Version"] != _VERSION:
        raise ValueError(f"a policy has the version {document['Version']}")
    listed = document["Statement"]
    return [
        {element: statement[element] for element in _ELEMENTS if element in statement}
        for statement in (listed if isinstance(listed, list) else [listed])
    ]
