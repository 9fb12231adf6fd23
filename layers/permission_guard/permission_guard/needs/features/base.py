"""Protocols of the features of a function: the actions that its configuration requires of the execution role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.needs.base import NOTHING_READ

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need


class Feature(Protocol):
    """A feature that the configuration of a function can enable.

    `name` is the name for users. `managed_policy` is the path and name of the AWS managed policy with its permissions;
    empty if AWS has none.
    """

    name: str
    managed_policy: str

    def needs(self, function: Function, sources: Sources = NOTHING_READ) -> tuple[Need, ...]:
        """Return the needs of the function as it is configured; empty if it does not use the feature."""


class OptionalFeature(Feature, Protocol):
    """A feature that not every function uses; each one in use has its own subject.

    `subject` is its word in a finding's subject. `member` of the function's configuration enables it. `purpose`
    continues "cannot ..." and "is allowed to ...". `impact` says what fails without the permission.
    """

    subject: str
    member: str
    purpose: str
    impact: str

    def is_used(self, function: Function) -> bool:
        """Return whether the configuration enables it."""
