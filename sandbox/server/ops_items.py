"""Systems Manager OpsItems: create, update, get and describe, with deduplication as AWS does it."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import get_account_id, get_region

from sandbox.server.own_service import Item, OwnService
from sandbox.server.reply import ApiError, Response, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server.api import Call

DEDUP_KEY = "/aws/dedup"
_LIVE = frozenset({"Open", "InProgress"})
_PAGE = 50
_CHANGEABLE = (
    "ActualEndTime",
    "ActualStartTime",
    "Category",
    "Description",
    "Notifications",
    "OpsItemArn",
    "PlannedEndTime",
    "PlannedStartTime",
    "Priority",
    "RelatedOpsItems",
    "Severity",
    "Status",
    "Title",
)

# The operators that AWS accepts for each key, and the member that the key filters.
_FILTERS: Mapping[str, tuple[frozenset[str], str]] = {
    "Status": (frozenset({"Equal"}), "Status"),
    "OpsItemId": (frozenset({"Equal"}), "OpsItemId"),
    "Priority": (frozenset({"Equal"}), "Priority"),
    "Category": (frozenset({"Equal"}), "Category"),
    "Severity": (frozenset({"Equal"}), "Severity"),
    "OpsItemType": (frozenset({"Equal"}), "OpsItemType"),
    "CreatedBy": (frozenset({"Equal", "Contains"}), "CreatedBy"),
    "Source": (frozenset({"Equal", "Contains"}), "Source"),
    "Title": (frozenset({"Equal", "Contains"}), "Title"),
    "CreatedTime": (frozenset({"GreaterThan", "LessThan"}), "CreatedTime"),
    "LastModifiedTime": (frozenset({"GreaterThan", "LessThan"}), "LastModifiedTime"),
    "OperationalData": (frozenset({"Equal"}), "OperationalData"),
    "OperationalDataKey": (frozenset({"Equal"}), "OperationalData"),
    "OperationalDataValue": (frozenset({"Equal", "Contains"}), "OperationalData"),
    "ResourceId": (frozenset({"Contains"}), "OperationalData"),
}


class OpsItems(OwnService):
    """The OpsItems of every account and region."""

    service = "ssm"

    def operations(self) -> Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return the handler of each operation."""
        return {
            "CreateOpsItem": self._create,
            "UpdateOpsItem": self._update,
            "GetOpsItem": self._get,
            "DescribeOpsItems": self._describe,
            "AddTagsToResource": self._add_tags,
            "RemoveTagsFromResource": self._remove_tags,
            "ListTagsForResource": self._list_tags,
        }

    def is_ours(self, call: Call) -> bool:
        """Return whether this class handles a call. MiniStack handles the tags of all other resources."""
        is_of_an_item = not call.operation.endswith("Resource") or call.params.get("ResourceType") == "OpsItem"
        return is_of_an_item and super().is_ours(call)

    def _found(self, item_id: str) -> Item:
        item = self.here().get(item_id)
        if item is None:
            raise ApiError("OpsItemNotFoundException", f"OpsItem with ID {item_id} was not found.")
        return item

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = _dedup(params)
        for item in self.here().values():
            if wanted and item["Status"] in _LIVE and _dedup(item) == wanted:
                raise AlreadyExistsError(item["OpsItemId"])
        now, who, item_id = time.time(), caller_arn(), f"oi-{secrets.token_hex(6)}"
        arn = f"arn:aws:ssm:{get_region()}:{get_account_id()}:opsitem/{item_id}"
        given = {name: value for name, value in params.items() if name not in {"Tags", "AccountId"}}
        self.here()[item_id] = {
            "OpsItemType": "/aws/issue",
            **given,
            "OpsItemId": item_id,
            "OpsItemArn": arn,
            "Status": "Open",
            "Version": "1",
            "CreatedBy": who,
            "CreatedTime": now,
            "LastModifiedBy": who,
            "LastModifiedTime": now,
            "Tags": list(params.get("Tags", [])),
        }
        return {"OpsItemId": item_id, "OpsItemArn": arn}

    def _update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        item = self._found(params["OpsItemId"])
        changed, removed = params.get("OperationalData", {}), params.get("OperationalDataToDelete", [])
        if DEDUP_KEY in changed or DEDUP_KEY in removed:
            text = f"The deduplication string in {DEDUP_KEY} can't be changed after the OpsItem was created."
            raise ApiError("OpsItemInvalidParameterException", text)
        item.update({name: params[name] for name in _CHANGEABLE if name in params})
        data = {**item.get("OperationalData", {}), **changed}
        item["OperationalData"] = {key: value for key, value in data.items() if key not in removed}
        item["Version"] = str(int(item["Version"]) + 1)
        item["LastModifiedBy"], item["LastModifiedTime"] = caller_arn(), time.time()
        return {}

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"OpsItem": self._found(params["OpsItemId"])}

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        filters = params.get("OpsItemFilters", [])
        for one in filters:
            operators, _ = _FILTERS.get(one["Key"], (frozenset(), ""))
            if one["Operator"] not in operators:
                text = f"The filter {one['Key']} does not support the operator {one['Operator']}."
                raise ApiError("OpsItemInvalidParameterException", text)
        newest_first = sorted(self.here().values(), key=lambda item: -item["CreatedTime"])
        matching = [item for item in newest_first if all(_matches(item, one) for one in filters)]
        start, size = int(params.get("NextToken") or 0), int(params.get("MaxResults") or _PAGE)
        page = {"OpsItemSummaries": matching[start : start + size]}
        return page if start + size >= len(matching) else {**page, "NextToken": str(start + size)}

    def _add_tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        item = self._found(params["ResourceId"])
        given = {tag["Key"] for tag in params["Tags"]}
        item["Tags"] = [*(tag for tag in item["Tags"] if tag["Key"] not in given), *params["Tags"]]
        return {}

    def _remove_tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        item = self._found(params["ResourceId"])
        item["Tags"] = [tag for tag in item["Tags"] if tag["Key"] not in params["TagKeys"]]
        return {}

    def _list_tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"TagList": self._found(params["ResourceId"])["Tags"]}


class AlreadyExistsError(ApiError):
    """An open OpsItem has the same deduplication string."""

    def __init__(self, item: str) -> None:
        text = f"An OpsItem with the same deduplication string already exists: {item}"
        super().__init__("OpsItemAlreadyExistsException", text)
        self.item = item

    def response(self) -> Response:
        """Return the error with the id of the existing OpsItem."""
        return json_error(self.code, self.message, self.status, OpsItemId=self.item)


def _dedup(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what AWS compares for deduplication: the string together with the source of the OpsItem."""
    held = item.get("OperationalData", {}).get(DEDUP_KEY)
    if held is None:
        return None
    try:
        text = json.loads(held["Value"])["dedupString"]
    except (ValueError, KeyError, TypeError):
        text = "The value of /aws/dedup must be a JSON object with a dedupString."
        raise ApiError("OpsItemInvalidParameterException", text) from None
    return str(text), item["Source"]


def _matches(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    key, operator = wanted["Key"], wanted["Operator"]
    held = item.get(_FILTERS[key][1])
    if key in {"OperationalData", "OperationalDataKey", "OperationalDataValue", "ResourceId"}:
        return any(_matches_data(held or {}, key, operator, value) for value in wanted["Values"])
    return held is not None and any(_compares(operator, held, value) for value in wanted["Values"])


def _matches_data(data: Mapping[str, Any], key: str, operator: str, value: str) -> bool:
    searchable = {name: held.get("Value", "") for name, held in data.items() if held.get("Type") == "SearchableString"}
    if key == "OperationalDataKey":
        return value in searchable
    if key == "OperationalData":
        pair = json.loads(value)
        return bool(searchable.get(pair["key"]) == pair["value"])
    if key == "ResourceId":
        return value in data.get("/aws/resources", {}).get("Value", "")
    return any(_compares(operator, held, value) for held in searchable.values())


def _compares(operator: str, held: Any, value: str) -> bool:
    if operator == "Equal":
        return str(held) == value
    if operator == "Contains":
        return value.lower() in str(held).lower()
    return float(held) > float(value) if operator == "GreaterThan" else float(held) < float(value)
