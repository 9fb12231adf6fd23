"""Every page of every list is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from permission_guard.model.state import Unread
from tests.unit.aws.readers.inventories.conftest import own, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account


class Page(NamedTuple):
    """A second page, with the names of the token in the first reply and in the second request."""

    service: str
    operation: str
    said: str
    asked: str
    reply: dict[str, Any]


PAGES = (
    Page("apigateway", "get_rest_apis", "position", "position", {"items": [{"id": "second", "name": "two"}]}),
    Page(
        "apigatewayv2",
        "get_apis",
        "NextToken",
        "NextToken",
        {"Items": [{"ApiId": "second", "Name": "two", "ProtocolType": "HTTP", "RouteSelectionExpression": "-"}]},
    ),
    Page(
        "cloudwatch",
        "describe_alarms",
        "NextToken",
        "NextToken",
        {"CompositeAlarms": [{"AlarmName": "second", "AlarmArn": own("cloudwatch", "alarm:second")}]},
    ),
    Page("cognito-idp", "list_user_pools", "NextToken", "NextToken", {"UserPools": [{"Id": "second", "Name": "two"}]}),
    Page(
        "config",
        "describe_config_rules",
        "NextToken",
        "NextToken",
        {
            "ConfigRules": [
                {"ConfigRuleName": "two", "ConfigRuleArn": own("config", "second"), "Source": {"Owner": "AWS"}}
            ]
        },
    ),
    Page(
        "elbv2",
        "describe_target_groups",
        "NextMarker",
        "Marker",
        {"TargetGroups": [{"TargetGroupArn": own("elasticloadbalancing", "second"), "TargetGroupName": "two"}]},
    ),
    Page(
        "events", "list_rules", "NextToken", "NextToken", {"Rules": [{"Name": "two", "Arn": own("events", "second")}]}
    ),
    Page(
        "iot",
        "list_topic_rules",
        "nextToken",
        "nextToken",
        {"rules": [{"ruleName": "two", "ruleArn": own("iot", "second")}]},
    ),
    Page(
        "iot",
        "list_authorizers",
        "nextMarker",
        "marker",
        {"authorizers": [{"authorizerName": "two", "authorizerArn": own("iot", "second")}]},
    ),
    Page(
        "logs",
        "describe_log_groups",
        "nextToken",
        "nextToken",
        {"logGroups": [{"logGroupName": "two", "arn": own("logs", "log-group:second:*")}]},
    ),
    Page("s3", "list_buckets", "ContinuationToken", "ContinuationToken", {"Buckets": [{"Name": "second"}]}),
    Page(
        "secretsmanager",
        "list_secrets",
        "NextToken",
        "NextToken",
        {"SecretList": [{"Name": "two", "ARN": own("secretsmanager", "secret:second")}]},
    ),
    Page("sns", "list_topics", "NextToken", "NextToken", {"Topics": [{"TopicArn": own("sns", "second")}]}),
)


@pytest.mark.parametrize("page", PAGES, ids=[page.operation for page in PAGES])
def test_every_page_is_read(account: Account, page: Page) -> None:
    """Otherwise resources on the second page would seem to be deleted."""
    first = json.loads(json.dumps(page.reply).replace("second", "first"))
    account.say("events", "list_event_buses", {"EventBuses": [{"Name": "default"}]})
    account.say(page.service, page.operation, {**first, page.said: "more"})
    account.say(page.service, page.operation, page.reply, **{page.asked: "more"})
    sources = read_one(account, page.service).sources
    assert not isinstance(sources, Unread)
    assert sorted(word for source in sources for word in ("first", "second") if word in source) == ["first", "second"]
