"""What all inventories have in common: failures are values, and deleted sources have no triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import EndpointConnectionError

from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.inventories.services import INVENTORY_READS, SERVICES
from permission_guard.invokers import INVOKERS
from permission_guard.invokers.sources import source_named
from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, REGION, TARGET
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, invocation, own, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account


class List(NamedTuple):
    """The call that lists the sources, and its IAM action."""

    service: str
    operation: str
    action: str


LISTS = (
    List("apigateway", "get_rest_apis", "apigateway:GET"),
    List("apigatewayv2", "get_apis", "apigateway:GET"),
    List("cloudwatch", "describe_alarms", "cloudwatch:DescribeAlarms"),
    List("cognito-idp", "list_user_pools", "cognito-idp:ListUserPools"),
    List("config", "describe_config_rules", "config:DescribeConfigRules"),
    List("elbv2", "describe_target_groups", "elasticloadbalancing:DescribeTargetGroups"),
    List("events", "list_event_buses", "events:ListEventBuses"),
    List("events", "list_rules", "events:ListRules"),
    List("iot", "list_topic_rules", "iot:ListTopicRules"),
    List("iot", "list_authorizers", "iot:ListAuthorizers"),
    List("logs", "describe_log_groups", "logs:DescribeLogGroups"),
    List("s3", "list_buckets", "s3:ListAllMyBuckets"),
    List("secretsmanager", "list_secrets", "secretsmanager:ListSecrets"),
    List("sns", "list_topics", "sns:ListTopics"),
    List("sns", "list_subscriptions", "sns:ListSubscriptions"),
)
EACH_LIST = pytest.mark.parametrize("listing", LISTS, ids=[listing.operation for listing in LISTS])


class Item(NamedTuple):
    """The call that reads one source: its reply, its action, and the error code for a deleted source."""

    service: str
    operation: str
    reply: dict[str, Any]
    action: str
    not_found: str
    source: str


GROUP = own("elasticloadbalancing", "targetgroup/web/0123456789abcdef")

# The list of each service has one source.
LISTED: dict[tuple[str, str], dict[str, Any]] = {
    ("apigateway", "get_rest_apis"): {"items": [{"id": "a1b2c3", "name": "pets"}]},
    ("apigatewayv2", "get_apis"): {
        "Items": [{"ApiId": "d4e5f6", "Name": "shop", "ProtocolType": "HTTP", "RouteSelectionExpression": "-"}]
    },
    ("apigatewayv2", "get_integrations"): {
        "Items": [{"IntegrationId": "i1", "IntegrationType": "AWS_PROXY", "IntegrationUri": invocation(LIVE)}]
    },
    ("apigatewayv2", "get_routes"): {"Items": [{"RouteKey": "GET /pets", "Target": "integrations/i1"}]},
    ("apigateway", "get_resources"): {
        "items": [
            {
                "path": "/pets",
                "resourceMethods": {"GET": {"methodIntegration": {"type": "AWS_PROXY", "uri": invocation(LIVE)}}},
            }
        ]
    },
    ("cognito-idp", "list_user_pools"): {"UserPools": [{"Id": "us-east-1_people", "Name": "people"}]},
    ("elbv2", "describe_target_groups"): {
        "TargetGroups": [{"TargetGroupArn": GROUP, "TargetGroupName": "web", "TargetType": "lambda"}]
    },
    ("events", "list_event_buses"): {"EventBuses": [{"Name": "default"}]},
    ("events", "list_rules"): {
        "Rules": [{"Name": "nightly", "Arn": own("events", "rule/nightly"), "State": "ENABLED"}]
    },
    ("iot", "list_topic_rules"): {"rules": [{"ruleName": "alerts", "ruleArn": own("iot", "rule/alerts")}]},
    ("iot", "list_authorizers"): {
        "authorizers": [{"authorizerName": "door", "authorizerArn": own("iot", "authorizer/door")}]
    },
    ("logs", "describe_log_groups"): {"logGroups": [{"logGroupName": "/app", "arn": own("logs", "log-group:/app:*")}]},
    ("s3", "list_buckets"): {"Buckets": [{"Name": "uploads", "BucketRegion": REGION}]},
}

ITEMS = (
    Item(
        "apigateway",
        "get_stages",
        {"item": [{"stageName": "prod"}]},
        "apigateway:GET",
        "NotFoundException",
        own("execute-api", "a1b2c3"),
    ),
    Item(
        "apigatewayv2",
        "get_stages",
        {"Items": [{"StageName": "prod"}]},
        "apigateway:GET",
        "NotFoundException",
        own("execute-api", "d4e5f6"),
    ),
    Item(
        "cognito-idp",
        "describe_user_pool",
        {"UserPool": {"LambdaConfig": {"PreSignUp": LIVE}}},
        "cognito-idp:DescribeUserPool",
        "ResourceNotFoundException",
        own("cognito-idp", "userpool/us-east-1_people"),
    ),
    Item(
        "elbv2",
        "describe_target_health",
        {"TargetHealthDescriptions": [{"Target": {"Id": LIVE}}]},
        "elasticloadbalancing:DescribeTargetHealth",
        "TargetGroupNotFound",
        GROUP,
    ),
    Item(
        "events",
        "list_targets_by_rule",
        {"Targets": [{"Id": "1", "Arn": LIVE}]},
        "events:ListTargetsByRule",
        "ResourceNotFoundException",
        own("events", "rule/nightly"),
    ),
    Item(
        "iot",
        "get_topic_rule",
        {"rule": {"actions": [{"lambda": {"functionArn": LIVE}}]}},
        "iot:GetTopicRule",
        "ResourceNotFoundException",
        own("iot", "rule/alerts"),
    ),
    Item(
        "iot",
        "describe_authorizer",
        {"authorizerDescription": {"authorizerFunctionArn": LIVE, "status": "ACTIVE"}},
        "iot:DescribeAuthorizer",
        "ResourceNotFoundException",
        own("iot", "authorizer/door"),
    ),
    Item(
        "logs",
        "describe_subscription_filters",
        {"subscriptionFilters": [{"destinationArn": LIVE}]},
        "logs:DescribeSubscriptionFilters",
        "ResourceNotFoundException",
        own("logs", "log-group:/app"),
    ),
    Item(
        "s3",
        "get_bucket_notification_configuration",
        {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": LIVE, "Events": ["s3:ObjectCreated:*"]}]},
        "s3:GetBucketNotification",
        "NoSuchBucket",
        "arn:aws:s3:::uploads",
    ),
)
EACH_ITEM = pytest.mark.parametrize("item", ITEMS, ids=[f"{item.service}-{item.operation}" for item in ITEMS])


@pytest.fixture
def listed(account: Account) -> Account:
    """Return an account with one source of each service."""
    for (service, operation), reply in LISTED.items():
        account.say(service, operation, reply)
    return account


# ── All services ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_inventory_has_the_principal_that_invokes() -> None:
    """Statements and findings name the principal."""
    known = {invoker.principal for invoker in INVOKERS if invoker.invokes_by_policy}
    assert {service.principal for service in SERVICES} <= known
    assert len({service.name for service in SERVICES}) == len(SERVICES) == 12


def test_every_inventory_declares_its_actions() -> None:
    """The checker's role has exactly these actions."""
    assert (
        frozenset(
            {
                "s3:ListAllMyBuckets",
                "s3:GetBucketNotification",
                "events:ListEventBuses",
                "events:ListRules",
                "events:ListTargetsByRule",
                "sns:ListTopics",
                "sns:ListSubscriptions",
                "apigateway:GET",
                "logs:DescribeLogGroups",
                "logs:DescribeSubscriptionFilters",
                "logs:DescribeAccountPolicies",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "cognito-idp:ListUserPools",
                "cognito-idp:DescribeUserPool",
                "config:DescribeConfigRules",
                "iot:ListTopicRules",
                "iot:GetTopicRule",
                "iot:ListAuthorizers",
                "iot:DescribeAuthorizer",
                "secretsmanager:ListSecrets",
                "cloudwatch:DescribeAlarms",
            }
        )
        == INVENTORY_READS
    )


def test_an_empty_account_has_twelve_empty_inventories(account: Account) -> None:
    """Empty is not unread: any source of this account that a policy names was deleted."""
    found = InventoryReader(account.client).read(TARGET)
    assert [(inventory.sources, inventory.triggers, inventory.unread) for inventory in found] == [
        (frozenset(), (), {})
    ] * 12


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@EACH_LIST
@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("AccessDeniedException", True),
        ("UnauthorizedException", True),
        ("ValidationError", True),
        ("OptInRequired", True),
        ("ServiceException", False),
    ],
)
def test_a_failed_list_has_its_action_and_error_code(listed: Account, listing: List, code: str, denied: bool) -> None:
    """Without the list, it is unknown which sources exist."""
    listed.fail(listing.service, listing.operation, code, 403)
    inventory = read_one(listed, listing.service)
    assert inventory.sources == Unread(listing.action, code, "no", denied=denied)
    assert inventory.triggers == ()


@EACH_LIST
def test_a_failed_connection_is_unread(listed: Account, listing: List) -> None:
    """The reader raises no error."""

    def fail(service: str, operation: str) -> None:
        if (service, operation) == listing[:2]:
            raise EndpointConnectionError(endpoint_url="https://nowhere.invalid")

    listed.before = fail
    sources = read_one(listed, listing.service).sources
    assert isinstance(sources, Unread)
    assert (sources.action, sources.code, sources.denied) == (listing.action, "EndpointConnectionError", False)


def test_a_malformed_reply_is_unread(account: Account) -> None:
    """A wrong inventory would be worse than none."""
    account.say("cloudwatch", "describe_alarms", {"MetricAlarms": [{"AlarmName": "high"}]})
    assert read_one(account, "cloudwatch").sources == Unread(
        "cloudwatch:DescribeAlarms", "MalformedReply", "KeyError('AlarmArn')", denied=True
    )


# ── Each source ─────────────────────────────────────────────────────────────────────────────────────────────────────


@EACH_ITEM
def test_what_a_source_has_is_found_with_its_qualifier(listed: Account, item: Item) -> None:
    """An alias has a policy of its own. The source is listed by the ARN that a policy names."""
    listed.say(item.service, item.operation, item.reply)
    inventory = read_one(listed, item.service)
    (trigger,) = inventory.triggers
    assert (trigger.function_arn, trigger.source_account) == (LIVE, ACCOUNT)
    assert trigger.principal == inventory.principal
    assert not isinstance(inventory.sources, Unread)
    assert item.source in inventory.sources
    assert {source_named(trigger.source), *map(source_named, trigger.source_arns)} == {item.source}


@EACH_ITEM
@pytest.mark.parametrize(("code", "denied"), [("AccessDenied", True), ("Throttling", False)])
def test_a_source_that_cannot_be_read_is_unread_and_exists(
    listed: Account, item: Item, code: str, denied: bool
) -> None:
    """The list still has the source."""
    listed.fail(item.service, item.operation, code)
    inventory = read_one(listed, item.service)
    assert inventory.unread == {item.source: Unread(item.action, code, "no", denied=denied)}
    assert not isinstance(inventory.sources, Unread)
    assert item.source in inventory.sources


@EACH_ITEM
def test_a_source_that_was_deleted_meanwhile_has_no_triggers(listed: Account, item: Item) -> None:
    """A deletion is no failure."""
    listed.fail(item.service, item.operation, item.not_found, 404)
    inventory = read_one(listed, item.service)
    assert (inventory.triggers, inventory.unread) == ((), {})


@EACH_ITEM
def test_a_source_without_functions_is_no_trigger(listed: Account, item: Item) -> None:
    """Most sources invoke no function."""
    inventory = read_one(listed, item.service)
    assert (inventory.triggers, inventory.unread) == ((), {})


def test_a_function_configured_twice_in_one_source_is_one_trigger(listed: Account) -> None:
    """One statement allows both."""
    events = [
        {"LambdaFunctionArn": FUNCTION, "Events": [event]} for event in ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    ]
    listed.say("s3", "get_bucket_notification_configuration", {"LambdaFunctionConfigurations": events})
    assert len(read_one(listed, "s3").triggers) == 1
