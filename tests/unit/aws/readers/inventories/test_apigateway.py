"""REST APIs: a trigger for each method and authorizer, with the source ARNs that API Gateway may send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, REGION, ROLE_ARN
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, invocation, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

API = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3"
HIDDEN = f"{FUNCTION}:${{stageVariables.alias}}"


def resource(path: str, *methods: str, **integration: str) -> dict[str, Any]:
    """Return an entry of GetResources."""
    how = {"type": "AWS_PROXY", "uri": invocation(FUNCTION), **integration}
    return {"path": path, "resourceMethods": {method: {"methodIntegration": how} for method in methods}}


@pytest.fixture
def api(account: Account) -> Account:
    """Return an account with a REST API that has two stages."""
    account.say("apigateway", "get_rest_apis", {"items": [{"id": "a1b2c3", "name": "pets"}]})
    stages = [{"stageName": "prod", "variables": {"alias": "live"}}, {"stageName": "test"}]
    account.say("apigateway", "get_stages", {"item": stages}, restApiId="a1b2c3")
    return account


def test_a_method_may_be_called_in_every_stage(api: Account) -> None:
    """The caller chooses the stage."""
    api.say("apigateway", "get_resources", {"items": [resource("/pets", "GET")]}, embed=["methods"])
    (trigger,) = read_one(api, "apigateway").triggers
    assert (trigger.source, trigger.description) == (f"{API}/*/GET/pets", "the method GET /pets of the REST API pets")
    assert trigger.source_arns == (f"{API}/prod/GET/pets", f"{API}/test/GET/pets")


def test_a_parameter_is_sent_as_a_star(api: Account) -> None:
    """Its name is never sent."""
    api.say("apigateway", "get_resources", {"items": [resource("/pets/{id}/toys/{proxy+}", "GET")]})
    (trigger,) = read_one(api, "apigateway").triggers
    assert trigger.source == f"{API}/*/GET/pets/*/toys/*"
    assert [arn for arn in trigger.source_arns if "/prod/" in arn] == [f"{API}/prod/GET/pets/*/toys/*"]
    assert trigger.disputed_source_arns == ()


def test_any_method_may_be_sent_as_each_of_them(api: Account) -> None:
    """API Gateway may also send a star; whether it sends `ANY` itself is disputed."""
    api.say("apigateway", "get_resources", {"items": [resource("/", "ANY")]})
    (trigger,) = read_one(api, "apigateway").triggers
    assert trigger.source == f"{API}/*/*/"
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*")
    assert [arn for arn in trigger.source_arns if "/prod/" in arn] == [f"{API}/prod/{method}/" for method in methods]
    assert f"{API}/prod/ANY/" in trigger.disputed_source_arns


def test_methods_on_every_page_are_found(api: Account) -> None:
    """Each method is a trigger of its own."""
    api.say("apigateway", "get_resources", {"items": [resource("/pets", "GET", "POST")], "position": "more"})
    api.say("apigateway", "get_resources", {"items": [resource("/toys", "PUT", type="AWS")]}, position="more")
    assert {trigger.source for trigger in read_one(api, "apigateway").triggers} == {
        f"{API}/*/GET/pets",
        f"{API}/*/POST/pets",
        f"{API}/*/PUT/toys",
    }


@pytest.mark.parametrize(
    "integration",
    [
        {"credentials": ROLE_ARN},
        {"credentials": "arn:aws:iam::*:user/*"},
        {"type": "MOCK", "uri": ""},
        {"type": "HTTP_PROXY", "uri": "https://${stageVariables.alias}.example.com/"},
        {"type": "AWS", "uri": f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/orders"},
    ],
)
def test_an_integration_with_a_role_or_without_a_function_is_no_trigger(
    api: Account, integration: dict[str, str]
) -> None:
    """With credentials, API Gateway invokes as the role or as the caller."""
    api.say("apigateway", "get_resources", {"items": [resource("/pets", "GET", **integration)]})
    inventory = read_one(api, "apigateway")
    assert (inventory.triggers, inventory.unread) == ((), {})


@pytest.mark.parametrize(
    "uri",
    [
        invocation(LIVE).replace("path/2015-03-31", "path//2015-03-31"),
        invocation(LIVE).replace("2015-03-31", "2021-11-15").replace("/inv", "/response-streaming-inv"),
    ],
)
def test_other_forms_of_the_uri_name_a_function_too(api: Account, uri: str) -> None:
    """Response streaming has its own form, and old tools write another."""
    api.say("apigateway", "get_resources", {"items": [resource("/pets", "GET", uri=uri)]})
    assert [trigger.function_arn for trigger in read_one(api, "apigateway").triggers] == [LIVE]


def test_an_api_without_a_stage_cannot_be_called(account: Account) -> None:
    """The API is still listed as existing."""
    account.say("apigateway", "get_rest_apis", {"items": [{"id": "a1b2c3"}]})
    account.say("apigateway", "get_resources", {"items": [resource("/pets", "GET")]})
    inventory = read_one(account, "apigateway")
    assert (inventory.sources, inventory.triggers) == (frozenset({API}), ())


def test_authorizers_have_an_arn_without_a_stage(api: Account) -> None:
    """Authorizers with a role and Cognito authorizers need no statement."""
    authorizers = [
        {"id": "x1", "name": "token", "type": "TOKEN", "authorizerUri": invocation(LIVE)},
        {"id": "x2", "name": "role", "authorizerUri": invocation(LIVE), "authorizerCredentials": ROLE_ARN},
        {"id": "x3", "name": "people", "type": "COGNITO_USER_POOLS", "providerARNs": ["arn"]},
    ]
    api.say("apigateway", "get_authorizers", {"items": authorizers})
    (trigger,) = read_one(api, "apigateway").triggers
    assert trigger.source_arns == (trigger.source,) == (f"{API}/authorizers/x1",)
    assert (trigger.function_arn, trigger.description) == (LIVE, "the authorizer token of the REST API pets")


# ── Stage variables ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stage_variable_is_replaced_by_its_value_in_each_stage(account: Account) -> None:
    """One method may invoke a different function in each stage."""
    account.say("apigateway", "get_rest_apis", {"items": [{"id": "a1b2c3", "name": "pets"}]})
    stages = [{"stageName": stage, "variables": {"alias": alias}} for stage, alias in (("prod", "live"), ("test", "1"))]
    account.say("apigateway", "get_stages", {"item": stages})
    account.say("apigateway", "get_resources", {"items": [resource("/pets", "GET", uri=invocation(HIDDEN))]})
    inventory = read_one(account, "apigateway")
    assert {(trigger.function_arn, trigger.source_arns) for trigger in inventory.triggers} == {
        (LIVE, (f"{API}/prod/GET/pets",)),
        (f"{FUNCTION}:1", (f"{API}/test/GET/pets",)),
    }
    assert inventory.unread == {}


@pytest.mark.parametrize("hidden", [HIDDEN, "${stageVariables.function}"])
def test_a_stage_variable_without_a_value_makes_the_function_unknown(api: Account, hidden: str) -> None:
    """A retry would not help. The functions of the other stages are known."""
    api.say("apigateway", "get_resources", {"items": [resource("/pets", "GET", uri=invocation(hidden))]})
    api.say("apigateway", "get_authorizers", {"items": [{"id": "x", "name": "x", "authorizerUri": invocation(LIVE)}]})
    inventory = read_one(api, "apigateway")
    message = f"the method GET /pets names its function by a stage variable that has no value, in {hidden}"
    assert inventory.unread == {API: Unread("apigateway:GET", "StageVariable", message, denied=True)}
    assert (f"{API}/authorizers/x", LIVE, "the authorizer x of the REST API pets") in logged(inventory.triggers)
