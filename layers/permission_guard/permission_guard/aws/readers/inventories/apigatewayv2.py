"""HTTP and WebSocket APIs: their routes and authorizers. One with credentials uses a role, and needs no statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.apis import READ, Api
from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.apigateway import INVOKER, disputed_for, sent_for, split_route
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_apigatewayv2.type_defs import ApiTypeDef

    from permission_guard.model.state import Inventory, Trigger

_KINDS = {"HTTP": "HTTP", "WEBSOCKET": "WebSocket"}


def _read(walk: Walk[ApiGatewayV2Client]) -> Inventory:
    client = walk.client
    found = walk.list_all(READ, (page.get("Items", []) for page in client.get_paginator("get_apis").paginate()))
    if isinstance(found, Unread):
        return walk.inventory(found)
    apis = {walk.arn("execute-api", api["ApiId"]): api for api in found}

    def calls(arn: str, known: ApiTypeDef) -> Iterator[Trigger | Unread]:
        pages = client.get_paginator("get_stages").paginate(ApiId=known["ApiId"])
        stages = {
            stage["StageName"]: stage.get("StageVariables", {}) for page in pages for stage in page.get("Items", [])
        }
        if stages:
            api = Api(walk, arn, f"the {_KINDS[known['ProtocolType']]} API {known['Name']}", stages)
            yield from _routes(client, api, known["ApiId"])
            yield from _authorizers(client, api, known["ApiId"])

    return walk.inventory(apis, walk.read_each(READ, apis, calls))


def _routes(client: ApiGatewayV2Client, api: Api, api_id: str) -> Iterator[Trigger | Unread]:
    uris = {
        f"integrations/{integration['IntegrationId']}": integration.get("IntegrationUri", "")
        for page in client.get_paginator("get_integrations").paginate(ApiId=api_id)
        for integration in page.get("Items", [])
        if integration.get("IntegrationType") in ("AWS", "AWS_PROXY") and not integration.get("CredentialsArn")
    }
    for page in client.get_paginator("get_routes").paginate(ApiId=api_id):
        for route in page.get("Items", []):
            key = route["RouteKey"]
            uri = uris.get(route.get("Target", ""))
            if uri:
                method, path = split_route(key)
                sent = sent_for(method, path) if path else (key,)
                disputed = disputed_for(method, path, is_http=True) if path else ()
                yield from api.calls(f"the route {key}", uri, sent, disputed)


def _authorizers(client: ApiGatewayV2Client, api: Api, api_id: str) -> Iterator[Trigger | Unread]:
    for page in client.get_paginator("get_authorizers").paginate(ApiId=api_id):
        for authorizer in page.get("Items", []):
            if authorizer.get("AuthorizerUri") and not authorizer.get("AuthorizerCredentialsArn"):
                yield from api.authorizer(authorizer["Name"], authorizer["AuthorizerId"], authorizer["AuthorizerUri"])


SERVICE = InvokingService("apigatewayv2", INVOKER.principal, (READ,), _read)
