"""The parts that all functions of an account and region share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.records import record

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from permission_guard.aws.readers.bulk.inventories import InventoriesInBulk
    from permission_guard.aws.readers.bulk.lists import MappingList, TagList
    from permission_guard.aws.readers.bulk.roles import RoleList
    from permission_guard.aws.readers.bulk.sources import OrganizationInBulk, SourcesInBulk
    from permission_guard.aws.readers.functions import FunctionReader
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.sweep.selection import Selection


@record
class SharedParts:
    """What is read once, for all functions.

    Threads: each part reads what it has once, behind a lock, and `forget` does nothing. A `StateReader` caches without
    locks: so each function has one of its own, which one thread at a time uses.
    """

    client: LambdaClient
    selection: Selection
    mappings: MappingList
    tags: TagList
    roles: RoleList
    inventories: InventoriesInBulk
    sources: SourcesInBulk
    organization: OrganizationInBulk

    def names_a_qualifier_of(self, target: FunctionTarget) -> bool:
        """Return whether a trigger, of those that are read, names a version or an alias of a function."""
        return target.arn in self.inventories.qualified

    def reader(self, function: FunctionReader) -> StateReader:
        """Return what makes the snapshots of one function, as for the checkers."""
        return StateReader(function, self.roles, self.sources, lambda: self.inventories, self.organization)
