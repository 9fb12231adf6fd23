"""HTTP and WebSocket APIs: a trigger for each route and authorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, REGION, ROLE_ARN
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, invocation, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

API = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:d4e5f6"


def an_api(account: Account, *route_keys: str, kind: str = "HTTP", stage: str = "$default", **integration: str) -> None:
    """Give the account an API whose routes all have the same integration."""
    api = {"ApiId": "d4e5f6", "Name": "shop", "ProtocolType": kind, "RouteSelectionExpression": "-"}
    how = {"IntegrationId": "i1", "IntegrationType": "AWS_PROXY", "IntegrationUri": LIVE, **integration}
    routes = [{"RouteKey": key, "Target": "integrations/i1"} for key in route_keys]
    replies: dict[str, list[dict[str, Any]]] = {
        "get_apis": [api],
        "get_stages": [{"StageName": stage, "StageVariables": {"function": "orders"}}],
        "get_integrations": [how],
        "get_routes": routes,
    }
    for operation, items in replies.items():
        account.say("apigatewayv2", operation, {"Items": items})


@pytest.mark.parametrize(
    ("route_key", "source", "sent"),
    [
        ("GET /pets", "*/GET/pets", {"$default/GET/pets"}),
        ("GET /pets/{id}", "*/GET/pets/*", {"$default/GET/pets/*"}),
        ("$default", "*/$default", {"$default/$default"}),
    ],
)
def test_a_route_of_an_http_api_has_a_method_and_a_path(
    account: Account, route_key: str, source: str, sent: set[str]
) -> None:
    """The default route, which catches all other requests, has neither."""
    an_api(account, route_key)
    (trigger,) = read_one(account, "apigatewayv2").triggers
    assert (trigger.source, trigger.function_arn) == (f"{API}/{source}", LIVE)
    assert set(trigger.source_arns) == {f"{API}/{each}" for each in sent}
    assert trigger.description == f"the route {route_key} of the HTTP API shop"


def test_a_route_of_any_method_may_be_sent_as_each(account: Account) -> None:
    """REST APIs do the same. Whether `ANY` is sent is disputed."""
    an_api(account, "ANY /pets")
    (trigger,) = read_one(account, "apigatewayv2").triggers
    assert trigger.source == f"{API}/*/*/pets"
    assert {f"{API}/$default/GET/pets", f"{API}/$default/*/pets"} <= {*trigger.source_arns}
    assert trigger.disputed_source_arns == (f"{API}/$default/ANY/pets",)


def test_the_name_of_a_parameter_of_an_http_api_is_disputed(account: Account) -> None:
    """The AWS CDK writes it into its statements."""
    an_api(account, "GET /pets/{id}")
    (trigger,) = read_one(account, "apigatewayv2").triggers
    assert trigger.source_arns == (f"{API}/$default/GET/pets/*",)
    assert trigger.disputed_source_arns == (f"{API}/$default/GET/pets/{{id}}",)


def test_a_route_of_a_websocket_api_is_its_key(account: Account) -> None:
    """A WebSocket route has no method."""
    an_api(account, "$connect", kind="WEBSOCKET", stage="prod", IntegrationUri=invocation(FUNCTION))
    (trigger,) = read_one(account, "apigatewayv2").triggers
    assert (trigger.source, trigger.source_arns) == (f"{API}/*/$connect", (f"{API}/prod/$connect",))
    assert trigger.description == "the route $connect of the WebSocket API shop"


@pytest.mark.parametrize(
    "integration",
    [
        {"CredentialsArn": ROLE_ARN},
        {"IntegrationType": "HTTP_PROXY", "IntegrationUri": "https://example.com"},
        {"IntegrationUri": ""},
        {"IntegrationUri": f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/orders"},
        {"IntegrationId": "another"},
    ],
)
def test_an_integration_with_a_role_or_without_a_function_is_no_trigger(
    account: Account, integration: dict[str, str]
) -> None:
    """An integration without a route is never called either."""
    an_api(account, "GET /pets", **integration)
    inventory = read_one(account, "apigatewayv2")
    assert (inventory.sources, inventory.triggers, inventory.unread) == (frozenset({API}), (), {})


def test_an_api_without_a_stage_cannot_be_called(account: Account) -> None:
    """The API is still listed as existing."""
    an_api(account, "GET /pets")
    account.say("apigatewayv2", "get_stages", {"Items": []})
    inventory = read_one(account, "apigatewayv2")
    assert (inventory.sources, inventory.triggers) == (frozenset({API}), ())


def test_a_stage_variable_is_replaced(account: Account) -> None:
    """A variable without a value makes the function unknown."""
    hidden = LIVE.replace(":orders:", ":${stageVariables.%s}:")
    an_api(account, "GET /pets", IntegrationUri=invocation(hidden % "function"))
    assert [trigger.function_arn for trigger in read_one(account, "apigatewayv2").triggers] == [LIVE]
    an_api(account, "GET /pets", IntegrationUri=hidden % "other")
    (unread,) = read_one(account, "apigatewayv2").unread.values()
    assert (unread.code, unread.denied) == ("StageVariable", True)


def test_authorizers_have_an_arn_without_a_stage(account: Account) -> None:
    """Authorizers with a role and JWT authorizers need no statement."""
    an_api(account)
    common = {"AuthorizerType": "REQUEST", "AuthorizerUri": invocation(LIVE)}
    authorizers = [
        {"AuthorizerId": "x1", "Name": "own", **common},
        {"AuthorizerId": "x2", "Name": "role", "AuthorizerCredentialsArn": ROLE_ARN, **common},
        {"AuthorizerId": "x3", "Name": "jwt", "AuthorizerType": "JWT"},
    ]
    account.say("apigatewayv2", "get_authorizers", {"Items": authorizers})
    (trigger,) = read_one(account, "apigatewayv2").triggers
    assert trigger.source_arns == (trigger.source,) == (f"{API}/authorizers/x1",)
    assert trigger.description == "the authorizer own of the HTTP API shop"


def test_an_api_is_unread_if_a_part_of_it_is_denied(account: Account) -> None:
    """Routes without their integrations do not name a function."""
    an_api(account, "GET /pets")
    account.fail("apigatewayv2", "get_integrations", "AccessDeniedException", 403)
    inventory = read_one(account, "apigatewayv2")
    assert inventory.unread == {API: Unread("apigateway:GET", "AccessDeniedException", "no", denied=True)}
