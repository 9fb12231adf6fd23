"""IoT Core's custom authorizers: functions that authorize connections."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region

from sandbox.server.own_service import Item, OwnService
from sandbox.server.reply import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PAGE = 25


class Authorizers(OwnService):
    """The authorizers of every account and region."""

    service = "iot"

    def operations(self) -> Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return the handler of each operation."""
        return {
            "CreateAuthorizer": self._create,
            "DescribeAuthorizer": self._describe,
            "ListAuthorizers": self._list,
            "UpdateAuthorizer": self._update,
            "DeleteAuthorizer": self._delete,
        }

    def _found(self, params: Mapping[str, Any]) -> Item:
        name = params["authorizerName"]
        item = self.here().get(name)
        if item is None:
            text = f"Authorizer {name} not found"
            raise ApiError("ResourceNotFoundException", text, HTTPStatus.NOT_FOUND)
        return item

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, now = params["authorizerName"], int(time.time())
        if name in self.here():
            text = f"Authorizer {name} already exists"
            raise ApiError("ResourceAlreadyExistsException", text, HTTPStatus.CONFLICT)
        given = {key: value for key, value in params.items() if key != "tags"}
        arn = f"arn:aws:iot:{get_region()}:{get_account_id()}:authorizer/{name}"
        dates = {"creationDate": now, "lastModifiedDate": now}
        self.here()[name] = {"status": "INACTIVE", "signingDisabled": False, **given, "authorizerArn": arn, **dates}
        return self.here()[name]

    def _describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"authorizerDescription": self._found(params)}

    def _list(self, params: Mapping[str, Any]) -> dict[str, Any]:
        status, size, start = params.get("status"), params.get("pageSize", _PAGE), int(params.get("marker") or 0)
        kept = [one for _, one in sorted(self.here().items()) if status in (None, one["status"])]
        page = {"authorizers": kept[start : start + size]}
        return page if start + size >= len(kept) else {**page, "nextMarker": str(start + size)}

    def _update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        item = self._found(params)
        item.update(params, lastModifiedDate=int(time.time()))
        return item

    def _delete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if self._found(params)["status"] == "ACTIVE":
            raise ApiError("DeleteConflictException", "An active authorizer cannot be deleted", HTTPStatus.CONFLICT)
        del self.here()[params["authorizerName"]]
        return {}
