"""Triggers of a function: created by real calls, read with the permissions of the deployed bot."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.inventories.services import INVENTORY_READS
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from sandbox.client.process import ACCOUNT, REGION
from tests.e2e.bot import deployed_statements
from tests.e2e.sources import CALLS, IDS, NAME, Sources, ask
from tests.template.sam_template import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

OTHERS = {"AccessKeyId": "111122223333", "SecretAccessKey": "x", "SessionToken": None}
"""The root of another account."""


@pytest.fixture(scope="module")
def sources(sandbox: Sandbox, make_function: Callable[..., str]) -> Sources:
    """Create a function and one source of every type that invokes it."""
    function = make_function(NAME, Tags={"team": "shop"})
    client = sandbox.client("lambda")
    services = ["config", "elasticloadbalancing", "events", "iot", "logs", "s3", "secretsmanager"]
    for principal in [f"{service}.amazonaws.com" for service in services] + ["lambda.alarms.cloudwatch.amazonaws.com"]:
        permission = {"StatementId": principal.replace(".", "-"), "Principal": principal}
        client.add_permission(FunctionName=NAME, Action="lambda:InvokeFunction", **permission)
    client.create_alias(
        FunctionName=NAME, Name="live", FunctionVersion=client.publish_version(FunctionName=NAME)["Version"]
    )
    client.create_function_url_config(FunctionName=NAME, AuthType="AWS_IAM")
    client.create_function_url_config(FunctionName=NAME, AuthType="NONE", Qualifier="live")
    return Sources(sandbox, function)


@pytest.fixture(scope="module")
def organization(sandbox: Sandbox) -> dict[str, Any]:
    """Create an organization."""
    made: dict[str, Any] = sandbox.client("organizations").create_organization()["Organization"]
    return made


@pytest.fixture(scope="module")
def bot(make_role: Callable[..., str], assume: Callable[[str, str], Any]) -> Callable[[str], Any]:
    """Return clients with the permissions of the deployed function."""
    role = make_role(f"{NAME}-bot", *deployed_statements("CheckInvokePolicyRole"))
    return lambda service: assume(role, service)


@pytest.fixture(scope="module")
def stranger(make_role: Callable[..., str], assume: Callable[[str, str], Any]) -> Callable[[str], Any]:
    """Return clients of a role of this account without permissions."""
    role = make_role(f"{NAME}-stranger")
    return lambda service: assume(role, service)


# ── With the permissions of the bot ─────────────────────────────────────────────────────────────────────────────────


def test_every_permission_for_inventories_is_tested() -> None:
    """An untested action could be misspelt."""
    allowed = {
        action for statement in deployed_statements("CheckInvokePolicyRole") for action in listed(statement["Action"])
    }
    tested = {action for action, *_ in CALLS}
    assert tested >= INVENTORY_READS
    assert tested <= allowed


def test_an_account_has_no_organization_until_it_creates_one(
    sandbox: Sandbox, bot: Callable[[str], Any], organization: dict[str, Any]
) -> None:
    """An account can only be in one organization."""
    assert bot("organizations").describe_organization()["Organization"]["Id"] == organization["Id"]
    assert re.fullmatch(r"o-[a-z0-9]{10,32}", organization["Id"])
    with pytest.raises(ClientError, match="AlreadyInOrganizationException"):
        sandbox.client("organizations").create_organization()
    with pytest.raises(ClientError, match="AWSOrganizationsNotInUseException"):
        sandbox.client("organizations", OTHERS).describe_organization()


@pytest.mark.usefixtures("organization")
@pytest.mark.parametrize(("action", "service", "method", "asked"), CALLS, ids=IDS)
def test_the_deployed_function_may_read(
    *, bot: Callable[[str], Any], sources: Sources, action: str, service: str, method: str, asked: dict[str, Any]
) -> None:
    """The statements of the template allow the call, and the reply matches the model."""
    assert ask(bot(service), method, asked, sources), action


@pytest.mark.usefixtures("organization")
@pytest.mark.parametrize(("action", "service", "method", "asked"), CALLS, ids=IDS)
def test_a_role_without_permissions_may_not_read(
    *, stranger: Callable[[str], Any], sources: Sources, action: str, service: str, method: str, asked: dict[str, Any]
) -> None:
    """The error names the denied action as IAM does."""
    with pytest.raises(ClientError, match=f"not authorized to perform: {action} ") as refused:
        ask(stranger(service), method, asked, sources)
    code = refused.value.response["Error"]["Code"]
    assert code in {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


@pytest.mark.parametrize(
    ("action", "right", "wrong"),
    [
        ("events:ListTargetsByRule", f"rule/{NAME}", f"rule/{NAME}/{NAME}"),
        ("iot:DescribeAuthorizer", f"authorizer/{NAME}", f"rule/{NAME}"),
        ("logs:DescribeSubscriptionFilters", f"log-group:{NAME}", f"log-group:{NAME}-2"),
    ],
)
def test_a_resource_has_the_arn_that_aws_evaluates(
    *,
    make_role: Callable[..., str],
    assume: Callable[[str, str], Any],
    sources: Sources,
    unique: str,
    action: str,
    right: str,
    wrong: str,
) -> None:
    """A policy that is too narrow on AWS must be too narrow here."""
    _, service, method, asked = next(call for call in CALLS if call[0] == action)
    prefix = f"arn:aws:{action.partition(':')[0]}:{REGION}:{ACCOUNT}:"

    def client(resource: str) -> Any:
        allow = {"Effect": "Allow", "Action": action, "Resource": prefix + resource}
        return assume(make_role(f"{unique}-{resource == right}", allow), service)

    ask(client(right), method, asked, sources)
    with pytest.raises(ClientError, match="not authorized"):
        ask(client(wrong), method, asked, sources)


@pytest.mark.usefixtures("organization")
@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("events:ListRules", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{NAME}"),
        ("elasticloadbalancing:DescribeTargetHealth", "arn:aws:elasticloadbalancing:*:*:targetgroup/*"),
        ("organizations:DescribeOrganization", "arn:aws:organizations::*:organization/*"),
        # The call is for composite alarms too.
        ("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"),
    ],
)
def test_an_action_without_resource_types_is_allowed_only_on_every_resource(
    *,
    make_role: Callable[..., str],
    assume: Callable[[str, str], Any],
    sources: Sources,
    unique: str,
    action: str,
    resource: str,
) -> None:
    """AWS ignores a statement that names a resource for such an action."""
    _, service, method, asked = next(call for call in CALLS if call[0] == action)
    allow = {"Effect": "Allow", "Action": action, "Resource": resource}
    with pytest.raises(ClientError, match="not authorized"):
        ask(assume(make_role(unique, allow), service), method, asked, sources)


# ── Replies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def found(answer: Any, function: str) -> bool:
    """Return whether an answer names a function."""
    return f'{function}"' in json.dumps(answer, default=str) or f"{function}/invocations" in json.dumps(
        answer, default=str
    )


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("lambda", "list_function_url_configs"),
        ("s3", "get_bucket_notification_configuration"),
        ("events", "list_targets_by_rule"),
        ("sns", "list_subscriptions"),
        ("apigateway", "get_resources"),
        ("apigateway", "get_authorizers"),
        ("apigatewayv2", "get_integrations"),
        ("apigatewayv2", "get_authorizers"),
        ("logs", "describe_subscription_filters"),
        ("elbv2", "describe_target_health"),
        ("cognito-idp", "describe_user_pool"),
        ("config", "describe_config_rules"),
        ("iot", "get_topic_rule"),
        ("iot", "describe_authorizer"),
        ("secretsmanager", "list_secrets"),
        ("cloudwatch", "describe_alarms"),
    ],
)
def test_every_trigger_names_its_function(
    bot: Callable[[str], Any], sources: Sources, service: str, method: str
) -> None:
    """Every type of trigger is tested, on every bus."""
    calls = [asked for _, name, called, asked in CALLS if (name, called) == (service, method)]
    assert calls
    for asked in calls:
        assert found(ask(bot(service), method, asked, sources), sources.function)


def test_the_bots_own_reader_finds_every_source(bot: Callable[[str], Any], sources: Sources) -> None:
    """With the permissions of the deployed function no read is denied, and the replies have AWS's form."""
    target = parse_function_arn(sources.function)[0]
    inventories = InventoryReader(bot).read(target)
    assert [inventory for inventory in inventories if isinstance(inventory.sources, Unread) or inventory.unread] == []
    named = {
        inventory.name
        for inventory in inventories
        for trigger in inventory.triggers
        if parse_function_arn(trigger.function_arn)[0] == target
    }
    assert named == {inventory.name for inventory in inventories}


def test_a_list_of_buckets_has_regions_only_if_it_is_paged_or_filtered(
    sandbox: Sandbox, bot: Callable[[str], Any], unique: str
) -> None:
    """A page size is enough; a list without parameters has no regions."""
    there = {"LocationConstraint": "eu-west-1"}
    sandbox.client("s3", region_name="eu-west-1").create_bucket(Bucket=unique, CreateBucketConfiguration=there)

    def regions(**asked: Any) -> set[str | None]:
        buckets = bot("s3").list_buckets(**asked)["Buckets"]
        return {bucket.get("BucketRegion") for bucket in buckets if bucket["Name"] == unique}

    assert regions() == {None}
    assert regions(MaxBuckets=1000) == regions(Prefix=unique) == {"eu-west-1"}
    assert regions(BucketRegion=REGION) == set()


def test_an_account_policy_names_the_function_for_every_log_group(bot: Callable[[str], Any], sources: Sources) -> None:
    """Its document is a JSON string, and the list needs a policy type."""
    client = bot("logs")
    (policy,) = client.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")["accountPolicies"]
    assert json.loads(policy["policyDocument"])["DestinationArn"] == sources.function
    assert (policy["policyName"], policy["scope"], policy["accountId"]) == (NAME, "ALL", ACCOUNT)
    assert client.describe_account_policies(policyType="DATA_PROTECTION_POLICY")["accountPolicies"] == []


def test_a_url_of_an_alias_has_the_qualified_arn_of_the_function(bot: Callable[[str], Any], sources: Sources) -> None:
    """No other field of the reply names the alias."""
    urls = bot("lambda").list_function_url_configs(FunctionName=sources.function)["FunctionUrlConfigs"]
    assert {url["FunctionArn"]: url["AuthType"] for url in urls} == {
        sources.function: "AWS_IAM",
        f"{sources.function}:live": "NONE",
    }
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        bot("lambda").list_function_url_configs(FunctionName=f"{NAME}-missing")


def test_metric_alarms_alone_are_described_to_whoever_may_describe_alarms(
    make_role: Callable[..., str], assume: Callable[[str, str], Any], unique: str, sources: Sources
) -> None:
    """Composite alarms require the permission on every resource; a narrower one is denied."""
    resource = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"
    allow = {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": resource}
    client = assume(make_role(unique, allow), "cloudwatch")
    assert client.describe_alarms(ActionPrefix=sources.function)["MetricAlarms"]
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:DescribeAlarms"):
        client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])


def test_alarms_are_found_by_the_prefix_of_an_action(bot: Callable[[str], Any], sources: Sources) -> None:
    """Alarms of both types and actions of every state are found."""
    asked = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    answer = bot("cloudwatch").describe_alarms(**asked, ActionPrefix=sources.function)
    names = [alarm["AlarmName"] for alarm in (*answer["MetricAlarms"], *answer["CompositeAlarms"])]
    assert names == [NAME, f"{NAME}-3"]
    answer = bot("cloudwatch").describe_alarms(**asked, ActionPrefix=f"{sources.function}-missing")
    assert (answer["MetricAlarms"], answer["CompositeAlarms"]) == ([], [])


def test_a_bus_is_read_by_its_name_or_its_arn(bot: Callable[[str], Any], sources: Sources) -> None:
    """A missing bus is an error and not an empty list."""
    events = bot("events")
    arn = next(bus["Arn"] for bus in events.list_event_buses()["EventBuses"] if bus["Name"] == NAME)
    assert [rule["Name"] for rule in events.list_rules(EventBusName=arn)["Rules"]] == [NAME]
    assert events.list_targets_by_rule(Rule=NAME, EventBusName=arn)["Targets"][0]["Arn"] == sources.function
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        events.list_rules(EventBusName=f"{NAME}-missing")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        events.list_targets_by_rule(Rule=f"{NAME}-missing")


def test_a_target_group_of_type_lambda_has_no_protocol_or_port(bot: Callable[[str], Any], sources: Sources) -> None:
    """A load balancer invokes the function and connects to no port."""
    groups = bot("elbv2").describe_target_groups(TargetGroupArns=[sources.ids["group"]])["TargetGroups"]
    assert groups[0]["TargetType"] == "lambda"
    assert not groups[0].keys() & {"Protocol", "Port", "VpcId"}
    health = bot("elbv2").describe_target_health(TargetGroupArn=sources.ids["group"])["TargetHealthDescriptions"]
    assert health[0]["Target"] == {"Id": sources.function}


def test_an_account_policy_and_an_authorizer_can_be_changed_and_deleted(sandbox: Sandbox, unique: str) -> None:
    """The test uses another region, since each region has only one account policy."""
    logs, iot = (sandbox.client(service, region_name="eu-west-1") for service in ("logs", "iot"))
    kind = {"policyType": "SUBSCRIPTION_FILTER_POLICY"}
    document = json.dumps({"DestinationArn": "arn:aws:lambda:eu-west-1:123456789012:function:f", "FilterPattern": ""})
    logs.put_account_policy(**kind, policyName=unique, policyDocument=document)
    for name, text, code in (
        (f"{unique}-2", document, "LimitExceededException"),
        (unique, "{}", "InvalidParameterException"),
        (unique, "x", "InvalidParameterException"),
    ):
        with pytest.raises(ClientError, match=code):
            logs.put_account_policy(**kind, policyName=name, policyDocument=text)
    logs.delete_account_policy(**kind, policyName=unique)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.delete_account_policy(**kind, policyName=unique)
    assert logs.describe_account_policies(**kind)["accountPolicies"] == []

    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    iot.create_authorizer(authorizerName=unique, authorizerFunctionArn=arn, status="ACTIVE")
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        iot.create_authorizer(authorizerName=unique, authorizerFunctionArn=arn)
    with pytest.raises(ClientError, match="DeleteConflictException"):
        iot.delete_authorizer(authorizerName=unique)
    iot.update_authorizer(authorizerName=unique, status="INACTIVE")
    assert [one["authorizerName"] for one in iot.list_authorizers(status="INACTIVE")["authorizers"]] == [unique]
    iot.delete_authorizer(authorizerName=unique)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        iot.describe_authorizer(authorizerName=unique)


# ── Foreign buckets ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", ["bot", "stranger", "unsigned"])
def test_the_existence_of_a_bucket_is_public(
    sandbox: Sandbox, sources: Sources, request: pytest.FixtureRequest, unique: str, who: str
) -> None:
    """A missing bucket returns 404 and a foreign one 403, whether the request is signed or not."""
    assert sources
    sandbox.client("s3", OTHERS).create_bucket(Bucket=f"{unique}-of-others")
    client = unsigned(sandbox) if who == "unsigned" else request.getfixturevalue(who)("s3")
    for bucket, status in ((f"{unique}-missing", 404), (f"{unique}-of-others", 403), (NAME, 403)):
        with pytest.raises(ClientError) as refused:
            client.head_bucket(Bucket=bucket)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status, bucket


def test_the_bots_own_reader_finds_a_bucket_without_a_permission(
    sandbox: Sandbox, stranger: Callable[[str], Any], unique: str
) -> None:
    """A denied call means that the bucket exists."""
    sandbox.client("s3", OTHERS).create_bucket(Bucket=unique)
    reader = InventoryReader(stranger)
    assert reader.bucket_exists(f"arn:aws:s3:::{unique}") is True
    assert reader.bucket_exists(f"arn:aws:s3:::{unique}-missing") is False


def unsigned(sandbox: Sandbox) -> Any:
    """Return a client of S3 without credentials."""
    from botocore import UNSIGNED  # noqa: PLC0415 - of this one test
    from botocore.config import Config  # noqa: PLC0415 - of this one test

    return boto3.client(
        "s3", endpoint_url=sandbox.endpoint, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )
