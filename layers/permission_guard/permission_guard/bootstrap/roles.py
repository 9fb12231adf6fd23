"""The composition root of what the command line reads of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.clients import client_as
from permission_guard.aws.readers.roles import RoleReader

if TYPE_CHECKING:
    from permission_guard.model.state import Role, Unread


def live_role(name: str, *, profile: str | None = None, region: str | None = None) -> Role | Unread | None:
    """Read a role by its name, with the credentials of a profile or of the environment; None when it does not exist.

    ConfigurationError when no client can be made: the profile does not exist, for example.
    """
    return RoleReader(client_as("iam", profile=profile, region=region)).role(f"arn:aws:iam::000000000000:role/{name}")
