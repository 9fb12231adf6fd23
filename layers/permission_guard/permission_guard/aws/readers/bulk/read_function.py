"""One function of the account with the parts that it shares: what is read of it, and its snapshots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.aws.readers.bulk.functions import FunctionInBulk, KeptFunction
from permission_guard.model.targets import Direction
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.aws.readers.bulk.function_list import ListedFunction
    from permission_guard.aws.readers.bulk.functions import FunctionParts
    from permission_guard.aws.readers.bulk.parts import SharedParts
    from permission_guard.aws.readers.bulk.shared import Packed
    from permission_guard.model.state import ManagedBy, Snapshot, Unread


class ReadFunction:
    """One function of the account: read, and its snapshots. One thread at a time uses it."""

    def __init__(self, listed: ListedFunction, parts: SharedParts) -> None:
        self.target = listed.target
        self.role_arn = listed.function.role_arn
        self._parts = parts
        self._function = FunctionInBulk(parts.client, listed, parts)
        self._reader = parts.reader(self._function)

    def read(self) -> None:
        """Make the calls about this function that depend on no shared part."""
        selection = self._parts.selection
        if selection.includes(Direction.INVOKE_POLICY):
            self._function.resource_policies(self.target)
            self._function.function_urls(self.target)
        if selection.includes(Direction.EXECUTION_ROLE):
            self._function.invoke_configs(self.target)
        self._function.function(self.target.arn)

    def snapshot(self, direction: Direction) -> Snapshot:
        """Return what a direction needs."""
        return self._reader.snapshot(self.target, direction)

    def tags(self) -> Mapping[str, str] | Unread:
        """Return the function's tags."""
        return self._reader.tags(self.target)

    def managed_by(self) -> ManagedBy | Unread | None:
        """Return the infrastructure code that owns the function, None if it is unknown."""
        return self._reader.managed_by(self.target)

    def keep(self) -> KeptSnapshot:
        """Return, in a small form, what the snapshot of the execution role is made of."""
        return KeptSnapshot(self._function.keep(), self._parts)


@record
class KeptSnapshot:
    """The snapshot of a function's execution role, in a small form."""

    kept: Packed[FunctionParts]
    parts: SharedParts

    def snapshot(self) -> Snapshot:
        """Return the snapshot again, with the function's tags. It makes no call."""
        kept = self.kept.unpack()
        reader = self.parts.reader(KeptFunction(self.parts.client, kept, self.parts))
        return replace(reader.snapshot(kept.target, Direction.EXECUTION_ROLE), tags=self.parts.tags.of(kept.target))
