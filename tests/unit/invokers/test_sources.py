"""The sources that can invoke functions, by their ARNs."""

from __future__ import annotations

import pytest

from permission_guard.invokers.sources import inventories_of, own_source, source_named
from permission_guard.model.state import Inventory, Unread

HERE = "us-east-1:123456789012"
DENIED = Unread("events:ListEventBuses", "AccessDeniedException", "not authorized", denied=True)

SOURCES = {
    "s3": ["arn:aws:s3:::acme-uploads"],
    "events": [f"arn:aws:events:{HERE}:rule/nightly", f"arn:aws:events:{HERE}:rule/orders-bus/placed"],
    "sns": [f"arn:aws:sns:{HERE}:new-orders"],
    "apigateway": [f"arn:aws:execute-api:{HERE}:a1b2c3d4e5"],
    "apigatewayv2": [f"arn:aws:execute-api:{HERE}:z9y8x7w6v5"],
    "logs": [f"arn:aws:logs:{HERE}:log-group:/aws/lambda/shop"],
    "elbv2": [f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/orders/6d0ecf831eec9f09"],
    "cognito-idp": [f"arn:aws:cognito-idp:{HERE}:userpool/us-east-1_A1b2C3d4E"],
    "config": [
        f"arn:aws:config:{HERE}:config-rule/config-rule-a1b2c3",
        f"arn:aws:config:{HERE}:config-rule/aws-service-rule/securityhub.amazonaws.com/config-rule-d4e5f6",
    ],
    "iot": [f"arn:aws:iot:{HERE}:rule/telemetry", f"arn:aws:iot:{HERE}:authorizer/devices"],
    "secretsmanager": [f"arn:aws:secretsmanager:{HERE}:secret:shop/db-A1b2C3"],
    "cloudwatch": [f"arn:aws:cloudwatch:{HERE}:alarm:errors", f"arn:aws:cloudwatch:{HERE}:alarm:web: 5xx"],
}
"""The sources of each inventory, by its name."""

EVERYTHING = tuple(Inventory(name, "service", frozenset(arns)) for name, arns in SOURCES.items())
EACH_SOURCE = pytest.mark.parametrize(("name", "arn"), [(name, arn) for name, arns in SOURCES.items() for arn in arns])


@EACH_SOURCE
def test_a_source_belongs_to_the_inventories_of_its_kind(name: str, arn: str) -> None:
    """REST, HTTP and WebSocket APIs have ARNs of the same form, so they belong to both inventories."""
    kinds = {"apigateway", "apigatewayv2"} if "api" in name else {name}
    assert {inventory.name for inventory in inventories_of(EVERYTHING, arn)} == kinds


@EACH_SOURCE
def test_a_listed_source_exists_and_another_does_not(name: str, arn: str) -> None:
    """The named source is the ARN itself."""
    assert source_named(arn) == arn
    assert own_source(EVERYTHING, arn) is True
    nothing = tuple(Inventory(inventory.name, "service", frozenset()) for inventory in EVERYTHING)
    assert own_source(nothing, arn) is False


@EACH_SOURCE
def test_whether_a_source_exists_is_unknown_if_its_kind_was_not_read(name: str, arn: str) -> None:
    """Either it was not read, or it cannot be listed."""
    others = tuple(inventory for inventory in EVERYTHING if inventory not in inventories_of(EVERYTHING, arn))
    unread = tuple(Inventory(inventory.name, "service", DENIED) for inventory in EVERYTHING)
    assert own_source((), arn) is None
    assert own_source(others, arn) is None
    assert own_source(unread, arn) is None


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (f"arn:aws:execute-api:{HERE}:a1b2c3d4e5/*/GET/orders/*", f"arn:aws:execute-api:{HERE}:a1b2c3d4e5"),
        (f"arn:aws:execute-api:{HERE}:a1b2c3d4e5/authorizers/*", f"arn:aws:execute-api:{HERE}:a1b2c3d4e5"),
        (f"arn:aws:execute-api:{HERE}:a1b2c3d4e5/prod/$connect", f"arn:aws:execute-api:{HERE}:a1b2c3d4e5"),
        (f"arn:aws:logs:{HERE}:log-group:/aws/lambda/shop:*", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/shop"),
    ],
)
def test_a_source_is_named_by_the_arn_of_its_parts(pattern: str, named: str) -> None:
    """Stage, method and path belong to the API; the `:*` of a log group is part of the ARN that is sent."""
    assert source_named(pattern) == named
    assert own_source(EVERYTHING, pattern) is True


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "acme-uploads",
        "arn:aws:s3:::acme-*",
        "arn:aws:s3:::acme-upload?",
        "arn:aws:s3:::acme-uploads/incoming",
        f"arn:aws:events:{HERE}:rule/*",
        "arn:aws:events:*:123456789012:rule/nightly",
        "arn:aws:events:us-east-1:${aws:PrincipalAccount}:rule/nightly",
        f"arn:aws:execute-api:{HERE}:*/prod/GET/orders",
        f"arn:aws:execute-api:{HERE}:*",
        f"arn:aws:logs:{HERE}:log-group:/aws/lambda/*:*",
        f"arn:aws:logs:{HERE}:*",
        f"arn:aws:logs:{HERE}:log-group:*",
        f"arn:aws:logs:{HERE}:log-group:*:*",
    ],
)
def test_a_value_that_names_no_single_source_is_unknown(pattern: str) -> None:
    """A pattern of several, an object of a bucket, a text that is not an ARN, a policy variable."""
    assert source_named(pattern) is None
    assert own_source(EVERYTHING, pattern) is None


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:us-east-1:123456789012:accesspoint/uploads",
        f"arn:aws:events:{HERE}:event-bus/orders-bus",
        f"arn:aws:sns:{HERE}:new-orders:0d3f1f2a-5f7c-4a5e-9f57-2f0c8f1f2b11",
        f"arn:aws:logs:{HERE}:log-group:/aws/lambda/shop:log-stream:today",
        f"arn:aws:elasticloadbalancing:{HERE}:loadbalancer/app/web/50dc6c495c0c9188",
        f"arn:aws:iot:{HERE}:provisioningtemplate/fleet",
        f"arn:aws:iot:{HERE}:certificateprovider:signer",
        f"arn:aws:codecommit:{HERE}:shop",
        f"arn:aws:sqs:{HERE}:incoming-orders",
    ],
)
def test_whether_a_resource_of_another_kind_exists_is_unknown(arn: str) -> None:
    """The inventories list only some resources of a service: one that is not listed may exist."""
    assert inventories_of(EVERYTHING, arn) == ()
    assert own_source(EVERYTHING, arn) is None


def test_a_secret_is_found_by_its_name_alone() -> None:
    """AWS appends six characters to the name, which a policy can omit; a name may end similarly."""
    assert own_source(EVERYTHING, f"arn:aws:secretsmanager:{HERE}:secret:shop/db") is True
    assert own_source(EVERYTHING, f"arn:aws:secretsmanager:{HERE}:secret:shop/db-Z9y8X7") is False
    assert own_source(EVERYTHING, f"arn:aws:secretsmanager:{HERE}:secret:shop") is False


def test_an_api_may_be_in_the_inventory_that_could_not_be_read() -> None:
    """An API in the other inventory exists; any other API may be in this one."""
    rest, http = SOURCES["apigateway"][0], SOURCES["apigatewayv2"][0]
    half = (Inventory("apigateway", "service", frozenset({rest})), Inventory("apigatewayv2", "service", DENIED))
    assert own_source(half, f"{rest}/*") is True
    assert own_source(half, f"{http}/*") is None


def test_sources_of_other_partitions_and_accounts_are_of_the_same_kinds() -> None:
    """The caller compares accounts and partitions."""
    arn = "arn:aws-cn:events:cn-north-1:111122223333:rule/nightly"
    assert [inventory.name for inventory in inventories_of(EVERYTHING, arn)] == ["events"]
