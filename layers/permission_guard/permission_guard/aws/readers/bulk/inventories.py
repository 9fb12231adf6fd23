"""The inventories of all services that the selected rules need, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.readers.bulk.shared import Once
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.inventories.services import SERVICES
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.sweep.gaps import SharedUnread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.model.state import Inventory
    from permission_guard.model.targets import FunctionTarget

_FOREVER: Final = float("inf")


class InventoriesInBulk(InventoryReader):
    """What is set up to invoke functions, read once for a whole evaluation. Safe for threads.

    `target` is any function of the account and region. Only the services whose list is in `actions` are read. After
    `max_seconds` for one service, what is left of it is unread.
    """

    name: Final = "the triggers"

    def __init__(
        self, client: Callable[[str], Any], target: FunctionTarget, actions: frozenset[str], max_seconds: float
    ) -> None:
        services = [service for service in SERVICES if service.actions[0] in actions]
        super().__init__(client, max_age_seconds=_FOREVER, max_seconds=max_seconds, services=services, actions=actions)
        self._target = target
        self._once = Once()

    def load(self) -> None:
        """Read all inventories."""
        self.read(self._target)

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:  # noqa: ARG002 - read once
        """Return the inventory of each service. Waits until all are read."""
        read_all = super().read
        return self._once.get("inventories", lambda: read_all(self._target))

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:  # noqa: ARG002 - read once
        """Return whether a bucket exists, in any account."""
        exists = super().bucket_exists
        return self._once.get(arn, lambda: exists(arn))

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """What could not be read, once for each service."""
        found: tuple[Inventory, ...] = self._once.made("inventories") or ()
        return tuple(unread for inventory in found for unread in _unread(inventory))

    @property
    def qualified(self) -> frozenset[str]:
        """The ARNs of the functions of which a trigger names a version or an alias; empty before they are read."""
        found: tuple[Inventory, ...] = self._once.made("inventories") or ()
        return self._once.get("qualified", lambda: qualified_functions(found)) if found else frozenset()


def _unread(inventory: Inventory) -> Iterator[SharedUnread]:
    subject = f"trigger/{inventory.principal}/"
    if isinstance(inventory.sources, Unread):
        yield SharedUnread(f"the triggers of {inventory.principal}", inventory.sources, subject)
    if inventory.unread:
        count = len(inventory.unread)
        _, reason = min(inventory.unread.items())
        sources = f"{count} sources" if count > 1 else "1 source"
        yield SharedUnread(f"the triggers of {sources} of {inventory.principal}", reason, subject)


def qualified_functions(inventories: tuple[Inventory, ...]) -> frozenset[str]:
    """Return the ARNs of the functions of which a trigger names a version or an alias."""
    found = set()
    for inventory in inventories:
        for trigger in inventory.triggers:
            try:
                target, qualifier = parse_function_arn(trigger.function_arn)
            except ValueError:
                continue  # the trigger names no function
            if qualifier is not None:
                found.add(target.arn)
    return frozenset(found)
