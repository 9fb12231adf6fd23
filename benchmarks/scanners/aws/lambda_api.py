"""What Lambda answers about an account. The sizes of pages are those of the API reference."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from benchmarks.scanners.aws.requests import Call, Reply, Request, error_reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.scanners.account.model import Account, Function, Item

_PAGE: Final = 50
_PAGE_OF_MAPPINGS: Final = 100
_ACTIVE: Final = {"State": "Active", "LastUpdateStatus": "Successful"}


class LambdaApi:
    """Answers calls that read functions."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._operations: dict[str, Callable[[Call, Request], Reply]] = {
            "ListFunctions": self._functions,
            "ListEventSourceMappings": self._mappings,
            "GetAccountSettings": lambda _call, _request: json_reply(_SETTINGS),
            "ListLayers": lambda _call, _request: json_reply({"Layers": []}),
            "ListCodeSigningConfigs": lambda _call, _request: json_reply({"CodeSigningConfigs": []}),
            "GetEventSourceMapping": self._mapping,
        }
        self._of_function: dict[str, Callable[[Function, Call, Request], Reply]] = {
            "GetPolicy": _policy,
            "GetFunction": _function,
            "GetFunctionConfiguration": _configuration,
            "GetFunctionConcurrency": lambda _function, _call, _request: json_reply({}),
            "GetFunctionCodeSigningConfig": lambda found, _call, _request: json_reply({"FunctionName": found.name}),
            "GetFunctionUrlConfig": _url,
            "ListAliases": lambda found, _call, request: _page(request, "Aliases", found.aliases),
            "ListVersionsByFunction": lambda found, _call, request: _page(
                request, "Versions", [_latest(found), *found.versions]
            ),
            "ListFunctionEventInvokeConfigs": lambda found, _call, request: _page(
                request, "FunctionEventInvokeConfigs", found.invoke_configs
            ),
            "ListFunctionUrlConfigs": lambda found, _call, request: _page(request, "FunctionUrlConfigs", found.urls),
            "ListTags": lambda found, _call, _request: json_reply({"Tags": found.tags}),
        }

    def answer(self, call: Call, request: Request) -> Reply:
        """Return Lambda's reply."""
        operation = self._operations.get(call.operation)
        if operation:
            return operation(call, request)
        of_function = self._of_function.get(call.operation)
        if of_function is None:
            return error_reply(501, "NotImplementedException", Message=f"no {call.operation} in this account")
        name, _ = _named(call.parameters.get("FunctionName") or call.parameters.get("Resource", ""))
        found = self._account.functions.get(name)
        return _not_found() if found is None else of_function(found, call, request)

    def _functions(self, _call: Call, request: Request) -> Reply:
        found: Iterable[Item] = (function.configuration for function in self._account.functions.values())
        if request.query.get("FunctionVersion") == "ALL":
            found = (
                configuration
                for function in self._account.functions.values()
                for configuration in (_latest(function), *function.versions)
            )
        return _page(request, "Functions", list(found))

    def _mappings(self, _call: Call, request: Request) -> Reply:
        found = self._account.mappings
        if request.query.get("FunctionName"):
            name, _ = _named(request.query["FunctionName"])
            found = [mapping for mapping in found if _named(mapping["FunctionArn"])[0] == name]
        if request.query.get("EventSourceArn"):
            found = [mapping for mapping in found if mapping["EventSourceArn"] == request.query["EventSourceArn"]]
        return _page(request, "EventSourceMappings", found, _PAGE_OF_MAPPINGS)

    def _mapping(self, call: Call, _request: Request) -> Reply:
        for mapping in self._account.mappings:
            if mapping["UUID"] == call.parameters["UUID"]:
                return json_reply(mapping)
        return _not_found()


def _policy(function: Function, call: Call, request: Request) -> Reply:
    _, in_name = _named(call.parameters["FunctionName"])
    statements = function.policies.get(request.query.get("Qualifier") or in_name)
    if not statements:
        return _not_found()
    policy = json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements})
    return json_reply({"Policy": policy, "RevisionId": function.configuration["RevisionId"]})


def _configuration(function: Function, call: Call, request: Request) -> Reply:
    found = _version(function, call, request)
    return _not_found() if found is None else json_reply(found | _ACTIVE)


def _function(function: Function, call: Call, request: Request) -> Reply:
    found = _version(function, call, request)
    if found is None:
        return _not_found()
    code = {"RepositoryType": "S3", "Location": f"https://code.example.com/{function.name}"}
    return json_reply({"Configuration": found | _ACTIVE, "Code": code, "Tags": function.tags})


def _version(function: Function, call: Call, request: Request) -> Item | None:
    """Return the configuration of the version that a call names, by number or alias."""
    qualifier = request.query.get("Qualifier") or _named(call.parameters["FunctionName"])[1]
    for alias in function.aliases:
        if alias["Name"] == qualifier:
            qualifier = alias["FunctionVersion"]
    if qualifier in (None, "$LATEST"):
        return function.configuration
    return next((version for version in function.versions if version["Version"] == qualifier), None)


def _latest(function: Function) -> Item:
    """Return the configuration of a function as it is in a list of versions: its ARN ends in `$LATEST`."""
    return function.configuration | {"FunctionArn": f"{function.arn}:$LATEST"}


def _url(function: Function, _call: Call, request: Request) -> Reply:
    qualifier = request.query.get("Qualifier")
    for url in function.urls:
        if _named(url["FunctionArn"])[1] == qualifier:
            return json_reply(url)
    return _not_found()


def _named(text: str) -> tuple[str, str | None]:
    """Return the name of a function and its qualifier, from an ARN, a name, or a name with a qualifier."""
    resource = text.partition(":function:")[2] if text.startswith("arn:") else text
    name, _, qualifier = resource.partition(":")
    return name, qualifier or None


def _page(request: Request, member: str, found: list[Item], most: int = _PAGE) -> Reply:
    """Return one page. A caller can ask for less than the most, not for more."""
    size = min(most, int(request.query.get("MaxItems", most)))
    marker = request.query.get("Marker")
    start = int(base64.b64decode(marker)) if marker else 0
    content: dict[str, Any] = {member: found[start : start + size]}
    if start + size < len(found):
        content["NextMarker"] = base64.b64encode(str(start + size).encode()).decode()
    return json_reply(content)


def _not_found() -> Reply:
    return error_reply(
        404, "ResourceNotFoundException", Type="User", Message="The resource you requested does not exist."
    )


_SETTINGS: Final = {
    "AccountLimit": {
        "TotalCodeSize": 80530636800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    },
    "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": 0},
}
