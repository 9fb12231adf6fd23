"""Systems Manager OpsItems: create, update, get and describe, with deduplication as AWS does it.

Requests are checked and replies written by botocore's model of the service. MiniStack has authorized the call before
it comes here.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator
from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import get_account_id, get_region

from sandbox import api
from sandbox.reply import RefusalError, Response, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Item = dict[str, Any]

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

# Which operators AWS takes with each key, and the member that the key looks at.
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


class OpsItems:
    """The OpsItems of every account and region."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], dict[str, Item]] = {}
        self._operations: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "CreateOpsItem": self._create,
            "UpdateOpsItem": self._update,
            "GetOpsItem": self._get,
            "DescribeOpsItems": self._describe,
            "AddTagsToResource": self._add_tags,
            "RemoveTagsFromResource": self._remove_tags,
            "ListTagsForResource": self._list_tags,
        }

    def wrap_handle_request(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Answer the OpsItem operations and leave the rest of Systems Manager to MiniStack."""

        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: Mapping[str, list[str]]
        ) -> Response:
            call = api.parse_json("ssm", headers.get("x-amz-target", ""), body)
            if call is not None and self._is_ours(call):
                return self.answer(call)
            response: Response = await inner(method, path, headers, body, query_params)
            return response

        return handle_request

    def _is_ours(self, call: api.Call) -> bool:
        if call.operation.endswith(("Resource",)):
            return call.operation in self._operations and call.params.get("ResourceType") == "OpsItem"
        return call.operation in self._operations

    def answer(self, call: api.Call) -> Response:
        """Return the reply to one operation."""
        model = api.operation_model(call)
        try:
            _require_valid(call.params, model.input_shape)
            reply = self._operations[call.operation](call.params)
        except AlreadyExistsError as known:
            return json_error("OpsItemAlreadyExistsException", str(known), OpsItemId=known.item)
        except RefusalError as refusal:
            return refusal.response()
        body = json.dumps(_serialised(model.output_shape, reply) if model.output_shape else {})
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, body.encode()

    def reset(self) -> None:
        """Forget every OpsItem."""
        self._items.clear()

    def _here(self) -> dict[str, Item]:
        return self._items.setdefault((get_account_id(), get_region()), {})

    def _found(self, item_id: str) -> Item:
        item = self._here().get(item_id)
        if item is None:
            raise RefusalError("OpsItemNotFoundException", f"OpsItem with ID {item_id} was not found.")
        return item

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = _dedup(params)
        for item in self._here().values():
            if wanted and item["Status"] in _LIVE and _dedup(item) == wanted:
                raise AlreadyExistsError(item["OpsItemId"])
        now, who, item_id = time.time(), caller_arn(), f"oi-{secrets.token_hex(6)}"
        arn = f"arn:aws:ssm:{get_region()}:{get_account_id()}:opsitem/{item_id}"
        given = {name: value for name, value in params.items() if name not in {"Tags", "AccountId"}}
        self._here()[item_id] = {
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
            raise RefusalError("OpsItemInvalidParameterException", text)
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
                raise RefusalError("OpsItemInvalidParameterException", text)
        newest_first = sorted(self._here().values(), key=lambda item: -item["CreatedTime"])
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


class AlreadyExistsError(Exception):
    """A live OpsItem has the same deduplication string."""

    def __init__(self, item: str) -> None:
        super().__init__(f"An OpsItem with the same deduplication string already exists: {item}")
        self.item = item


def _dedup(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """AWS hashes the deduplication string with what initiated the OpsItem: its source."""
    held = item.get("OperationalData", {}).get(DEDUP_KEY)
    if held is None:
        return None
    try:
        text = json.loads(held["Value"])["dedupString"]
    except (ValueError, KeyError, TypeError):
        text = "The value of /aws/dedup must be a JSON object with a dedupString."
        raise RefusalError("OpsItemInvalidParameterException", text) from None
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


def _require_valid(params: Mapping[str, Any], shape: StructureShape | None) -> None:
    """Hold a request against the model: types, required members, ranges, enumerations, lengths."""
    if shape is None:
        return
    report = ParamValidator().validate(dict(params), shape)
    if report.has_errors():
        raise RefusalError("ValidationException", report.generate_report())
    for name, member in shape.members.items():
        value = params.get(name)
        allowed = getattr(member, "enum", [])
        longest = member.metadata.get("max")
        if allowed and value is not None and value not in allowed:
            text = f"Value '{value}' at '{name}' must satisfy enum value set: {', '.join(allowed)}"
            raise RefusalError("ValidationException", text)
        if longest and isinstance(value, str) and len(value) > longest:
            text = f"Value at '{name}' must have length less than or equal to {longest}"
            raise RefusalError("ValidationException", text)


def _serialised(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {
            name: _serialised(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_serialised(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _serialised(shape.value, item) for key, item in value.items()}
    return value
