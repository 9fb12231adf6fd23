"""What receives in the end: the topic, the Slack channel and the OpsItems."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WEBHOOK: Final = "https://hooks.slack.com/services/T0000/B0000/simulated"


@dataclass
class Receivers:
    """What was received, in its order: what the messages of each channel are about, and the OpsItems by their ids.

    A message is about a revision of a finding (`<id>-<revision>`), or a digest.
    """

    messages: dict[str, list[str]] = field(default_factory=lambda: {"sns": [], "slack": []})
    ops_items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a call to a receiver, None for any other."""
        known = _ANSWERS.get(f"{service}:{operation}")
        return known(self, params) if known else None

    def _publish(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.messages["sns"].append(params["MessageDeduplicationId"])
        return {"MessageId": "1"}

    def _post(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.messages["slack"].append(params["about"])
        return {}

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create an OpsItem, unless an unresolved one has the same deduplication string.

        https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html
        """
        data = params["OperationalData"]
        for reference, item in self.ops_items.items():
            same = item["OperationalData"].get("/aws/dedup") == data.get("/aws/dedup")
            if same and item["Status"] in ("Open", "InProgress"):
                raise RejectedError("OpsItemAlreadyExistsException", "It exists.", OpsItemId=reference)
        reference = f"oi-{len(self.ops_items) + 1:012}"
        self.ops_items[reference] = {"OpsItemId": reference, "Status": "Open", **params}
        return {"OpsItemId": reference}

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"OpsItem": self._item(params)}

    def _update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Update an OpsItem. Keys of operational data that are not given stay."""
        item = self._item(params)
        data = {**item["OperationalData"], **params.get("OperationalData", {})}
        self.ops_items[params["OpsItemId"]] = {**item, **params, "OperationalData": data}
        return {}

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = [item for item in self.ops_items.values() if all(_has(item, one) for one in params["OpsItemFilters"])]
        return {"OpsItemSummaries": [{"OpsItemId": item["OpsItemId"], "Status": item["Status"]} for item in found]}

    def _item(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["OpsItemId"] not in self.ops_items:
            raise RejectedError("OpsItemNotFoundException", "It does not exist.")
        return self.ops_items[params["OpsItemId"]]


_ANSWERS: dict[str, Callable[[Receivers, Mapping[str, Any]], dict[str, Any]]] = {
    "secretsmanager:GetSecretValue": lambda _receivers, _params: {"SecretString": WEBHOOK},
    "slack:Post": Receivers._post,
    "sns:Publish": Receivers._publish,
    "ssm:CreateOpsItem": Receivers._create,
    "ssm:DescribeOpsItems": Receivers._describe,
    "ssm:GetOpsItem": Receivers._get,
    "ssm:UpdateOpsItem": Receivers._update,
}


def _has(item: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    if condition["Key"] == "Status":
        return item["Status"] in condition["Values"]
    pairs = [json.loads(value) for value in condition["Values"]]
    data = item["OperationalData"]
    return any(data.get(pair["key"], {}).get("Value") == pair["value"] for pair in pairs)
