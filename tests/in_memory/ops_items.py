"""OpsItems of Systems Manager in memory, with deduplication."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from permission_guard.model import limits
from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.in_memory.service import Operations

_DEDUP = "/aws/dedup"
_UNRESOLVED = ("Open", "InProgress")


class OpsItems(Service):
    """The OpsItems of an account, by their ids."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create an OpsItem, unless an unresolved one has the same deduplication string and source.

        https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
        """
        _require_sizes(params)
        wanted = _dedup(params)
        for reference, item in self.items.items():
            if wanted is not None and item["Status"] in _UNRESOLVED and _dedup(item) == wanted:
                text = f"An OpsItem with the same deduplication string already exists: {reference}"
                raise RejectedError("OpsItemAlreadyExistsException", text, OpsItemId=reference)
        reference = f"oi-{len(self.items) + 1:012x}"
        self.items[reference] = {"OpsItemId": reference, "Status": "Open", "OperationalData": {}, **params}
        return {"OpsItemId": reference}

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"OpsItem": self._item(params)}

    def _update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Update an OpsItem. Keys of operational data that are not given stay; the deduplication string cannot change.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateOpsItem.html
        """
        item, changed = self._item(params), params.get("OperationalData", {})
        _require_sizes(params)
        if _DEDUP in changed:
            raise RejectedError("OpsItemInvalidParameterException", f"{_DEDUP} can't be changed.")
        self.items[params["OpsItemId"]] = {**item, **params, "OperationalData": {**item["OperationalData"], **changed}}
        return {}

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        filters = params.get("OpsItemFilters", ())
        found = [item for item in self.items.values() if all(_has(item, one) for one in filters)]
        shown = ("OpsItemId", "OperationalData", "Source", "Status", "Title")
        return {"OpsItemSummaries": [{name: item[name] for name in shown} for item in found]}

    def _item(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["OpsItemId"] not in self.items:
            raise RejectedError("OpsItemNotFoundException", f"OpsItem with ID {params['OpsItemId']} was not found.")
        return self.items[params["OpsItemId"]]

    operations: ClassVar[Operations] = {
        "CreateOpsItem": _create,
        "DescribeOpsItems": _describe,
        "GetOpsItem": _get,
        "UpdateOpsItem": _update,
    }


def _dedup(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what is compared for deduplication: the string together with the source."""
    held = item.get("OperationalData", {}).get(_DEDUP)
    return None if held is None else (str(json.loads(held["Value"])["dedupString"]), item["Source"])


def _has(item: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    """Return whether an OpsItem matches a filter: Status, or OperationalData with a key and its searchable value."""
    assert condition["Operator"] == "Equal", condition
    if condition["Key"] == "Status":
        return item["Status"] in condition["Values"]
    assert condition["Key"] == "OperationalData", condition
    pairs = [json.loads(value) for value in condition["Values"]]
    searchable = {name: one["Value"] for name, one in item["OperationalData"].items() if one["Type"] == _SEARCHABLE}
    return any(searchable.get(pair["key"]) == pair["value"] for pair in pairs)


_SEARCHABLE = "SearchableString"


def _require_sizes(params: Mapping[str, Any]) -> None:
    data = params.get("OperationalData", {}).values()
    is_small = (
        len(params.get("Title", "")) <= limits.OPS_ITEM_TITLE
        and len(params.get("Description", "")) <= limits.OPS_ITEM_DESCRIPTION
        and all(len(value["Value"].encode()) <= limits.OPS_ITEM_VALUE for value in data)
    )
    if not is_small:
        raise RejectedError("ValidationException", "A value is longer than AWS accepts.")
