"""What every feature of a function says: which actions its configuration takes of the execution role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.needs.base import NOTHING_READ

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need


class Feature(Protocol):
    """Something that the configuration of a function can turn on.

    `name` is what a person calls it. `managed_policy` is the path and name of the AWS managed policy that carries what
    it takes; empty where AWS has none.
    """

    name: str
    managed_policy: str

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return what the role must be allowed for the function as it is configured; empty where it is not used."""


class OptionalFeature(Feature, Protocol):
    """A feature that a function goes without, and that has a subject of its own where it is used.

    `subject` is a word for it in a finding's subject. `purpose` continues "cannot ..." and "may ...". `impact` says
    what is broken without the permission.
    """

    subject: str
    purpose: str
    impact: str

    def is_used(self, function: Function) -> bool:
        """Tell whether the configuration turns it on."""
