"""REST APIs: their methods and authorizers. One with credentials uses a role, and needs no statement.

The API returns the current configuration, which can be newer than what is deployed to a stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.apis import READ, Api
from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.apigateway import INVOKER, disputed_for, sent_for
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import RestApiTypeDef

    from permission_guard.model.state import Inventory, Trigger


def _read(walk: Walk[APIGatewayClient]) -> Inventory:
    listing = walk.client.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 500})
    found = walk.list_all(READ, (page.get("items", []) for page in listing))
    if isinstance(found, Unread):
        return walk.inventory(found)
    apis = {walk.arn("execute-api", rest_api["id"]): rest_api for rest_api in found}

    def calls(arn: str, rest_api: RestApiTypeDef) -> Iterator[Trigger | Unread]:
        stages = walk.client.get_stages(restApiId=rest_api["id"]).get("item", [])
        if stages:
            variables = {stage["stageName"]: stage.get("variables", {}) for stage in stages}
            api = Api(walk, arn, f"the REST API {rest_api.get('name', rest_api['id'])}", variables)
            yield from _methods(walk.client, api, rest_api["id"])
            yield from _authorizers(walk.client, api, rest_api["id"])

    return walk.inventory(apis, walk.read_each(READ, apis, calls))


def _methods(client: APIGatewayClient, api: Api, api_id: str) -> Iterator[Trigger | Unread]:
    pages = client.get_paginator("get_resources").paginate(
        restApiId=api_id, embed=["methods"], PaginationConfig={"PageSize": 500}
    )
    for page in pages:
        for resource in page.get("items", []):
            for name, method in resource.get("resourceMethods", {}).items():
                integration = method.get("methodIntegration", {})
                if integration.get("type") in ("AWS", "AWS_PROXY") and not integration.get("credentials"):
                    what = f"the method {name} {resource['path']}"
                    path = resource["path"]
                    yield from api.calls(
                        what, integration.get("uri", ""), sent_for(name, path), disputed_for(name, path)
                    )


def _authorizers(client: APIGatewayClient, api: Api, api_id: str) -> Iterator[Trigger | Unread]:
    for page in client.get_paginator("get_authorizers").paginate(restApiId=api_id):
        for authorizer in page.get("items", []):
            if authorizer.get("authorizerUri") and not authorizer.get("authorizerCredentials"):
                yield from api.authorizer(authorizer["name"], authorizer["id"], authorizer["authorizerUri"])


SERVICE = InvokingService("apigateway", INVOKER.principal, (READ,), _read)
