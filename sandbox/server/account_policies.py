"""CloudWatch Logs' account policies. One of them can send every log group of a region to one function."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id

from sandbox.server.own_service import OwnService
from sandbox.server.reply import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUBSCRIPTION_FILTER = "SUBSCRIPTION_FILTER_POLICY"


class AccountPolicies(OwnService):
    """The account policies of every account and region."""

    service = "logs"

    def operations(self) -> Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return the handler of each operation."""
        return {
            "PutAccountPolicy": self._put,
            "DescribeAccountPolicies": self._describe,
            "DeleteAccountPolicy": self._delete,
        }

    def _put(self, params: Mapping[str, Any]) -> dict[str, Any]:
        kind, name = params["policyType"], params["policyName"]
        if kind == SUBSCRIPTION_FILTER:
            _require_destination(params["policyDocument"])
            others = [one for one in self.here().values() if one["policyType"] == kind and one["policyName"] != name]
            if others:
                raise ApiError("LimitExceededException", "Resource limit exceeded.")
        kept = {"scope": "ALL", **params, "lastUpdatedTime": int(time.time() * 1000), "accountId": get_account_id()}
        self.here()[f"{kind}/{name}"] = kept
        return {"accountPolicy": kept}

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params.get("policyName")
        of_the_kind = [one for one in self.here().values() if one["policyType"] == params["policyType"]]
        return {"accountPolicies": [one for one in of_the_kind if name in (None, one["policyName"])]}

    def _delete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if self.here().pop(f"{params['policyType']}/{params['policyName']}", None) is None:
            raise ApiError("ResourceNotFoundException", "The specified account policy does not exist.")
        return {}


def _require_destination(text: str) -> None:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not {"DestinationArn", "FilterPattern"} <= document.keys():
        raise ApiError("InvalidParameterException", "The policy document is not valid for a subscription filter.")
