"""The composition root of what reads snapshots, for the checkers and the fixer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from permission_guard.aws.clients import client
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.bootstrap.threads import thread_pool

if TYPE_CHECKING:
    from permission_guard.aws.readers.functions import FunctionReader
    from permission_guard.aws.readers.inventories import InventoryReader
    from permission_guard.aws.readers.roles import RoleReader


def state_reader(functions: FunctionReader, roles: RoleReader) -> StateReader:
    """Return what reads snapshots. Clients that few checks need are created at first use."""
    return StateReader(
        functions,
        roles,
        SourceReader(client),
        _inventories,
        OrganizationReader(lambda: client("organizations"), lambda: client("iam")),
    )


@cache
def _inventories() -> InventoryReader:
    """Return the inventories that an execution environment caches."""
    from permission_guard.aws.readers.inventories import InventoryReader  # noqa: PLC0415 - not every cold start needs it

    return InventoryReader(client, pool=thread_pool)
