"""What is set up to invoke functions, service by service, as the account has it now."""

from __future__ import annotations

from permission_guard.aws.readers.inventories.reader import InventoryReader

__all__ = ["InventoryReader"]
