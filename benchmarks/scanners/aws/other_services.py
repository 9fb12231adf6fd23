"""What the services beside Lambda and IAM answer: moto's backends, filled with the sources of an account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.models import dynamodb_backends

from benchmarks.scanners.account.model import ACCOUNT, ORGANIZATION, REGION, Account, Sources
from benchmarks.scanners.aws.requests import Call, Reply, Request, error_reply, json_reply

if TYPE_CHECKING:
    from benchmarks.scanners.account.model import Item

_GLOBAL: Final = frozenset({"iam", "sts", "organizations", "budgets", "cloudfront", "route53"})
_FIXED: Final[dict[str, Item]] = {
    "organizations:DescribeOrganization": {"Organization": {"Id": ORGANIZATION, "MasterAccountId": ACCOUNT}},
    "iot:ListAuthorizers": {"authorizers": []},
    "logs:DescribeAccountPolicies": {"accountPolicies": []},
    "kinesis:GetResourcePolicy": {"Policy": "{}"},
}
_FIELDS: Final = [{"AttributeName": "id", "AttributeType": "S"}]


class OtherServices:
    """Answers calls to every service that moto knows. Not safe for threads: moto is not."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._mock = mock_aws()
        self._mock.start()
        self._stubber = BotocoreStubber()
        _fill(account.sources)

    def close(self) -> None:
        """Undo what moto patches in this process."""
        self._mock.stop()

    def answer(self, call: Call, request: Request) -> Reply:
        """Return the service's reply."""
        own = self._own(call, request)
        if own is not None:
            return own
        host = f"{call.service}.amazonaws.com" if call.service in _GLOBAL else f"{call.service}.{REGION}.amazonaws.com"
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name] = host if name == "host" else value
        prepared = AWSPreparedRequest(request.method, f"https://{host}{request.target}", headers, request.body, False)
        try:
            answered = self._stubber.process_request(prepared)
        except NotImplementedError as error:
            return error_reply(501, "NotImplementedException", message=str(error))
        status, found, body = answered or (404, {}, "")
        content = body.encode() if isinstance(body, str) else bytes(body)
        return Reply(content, status, {name: str(value) for name, value in found.items() if _is_end_to_end(name)})

    def _own(self, call: Call, request: Request) -> Reply | None:
        """Answer what moto does not have, or does not know of this account."""
        name = f"{call.service}:{call.operation}"
        if name == "tagging:GetResources":
            return json_reply(self._tagged(json.loads(request.body or b"{}")))
        if name == "dynamodb:GetResourcePolicy":
            return error_reply(400, "PolicyNotFoundException", message="Resource-based policy not found.")
        return json_reply(_FIXED[name]) if name in _FIXED else None

    def _tagged(self, asked: Item) -> Item:
        """Return the functions that have tags, a page of at most 100."""
        kinds = asked.get("ResourceTypeFilters") or ["lambda:function"]
        wanted = {"lambda", "lambda:function"}.intersection(kinds)
        functions = self._account.functions.values() if wanted else ()
        found = [
            {
                "ResourceARN": function.arn,
                "Tags": [{"Key": key, "Value": value} for key, value in function.tags.items()],
            }
            for function in functions
            if function.tags
        ]
        size = min(100, asked.get("ResourcesPerPage", 100))
        start = int(asked.get("PaginationToken") or 0)
        token = str(start + size) if start + size < len(found) else ""
        return {"ResourceTagMappingList": found[start : start + size], "PaginationToken": token}


def _is_end_to_end(name: str) -> bool:
    return name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")


def _fill(sources: Sources) -> None:
    """Make the sources, with boto3 in this process: moto answers, and no connection is opened."""
    session: Any = boto3.Session("placeholder", "placeholder", region_name=REGION)
    _make_queues(session, sources)
    _make_tables(session, sources)
    _make_topics(session, sources)
    _make_buckets(session, sources)
    _make_rules(session, sources)
    _make_apis(session, sources)
    logs = session.client("logs")
    for group in sources.log_groups:
        logs.create_log_group(logGroupName=group)
    kinesis = session.client("kinesis")
    for name in sources.streams:
        kinesis.create_stream(StreamName=name, ShardCount=1)


def _make_queues(session: Any, sources: Sources) -> None:
    sqs = session.client("sqs")
    for queue in sources.queues:
        sqs.create_queue(QueueName=queue.rpartition(":")[2])


def _make_tables(session: Any, sources: Sources) -> None:
    dynamodb = session.client("dynamodb")
    tables: Any = dynamodb_backends[ACCOUNT][REGION]
    for name in sources.tables:
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=_FIELDS,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        # The time of creation is in the stream's ARN.
        tables.tables[name].latest_stream_label = "2026-01-15T09:30:00.000"


def _make_topics(session: Any, sources: Sources) -> None:
    sns = session.client("sns")
    for topic, functions in sources.topics.items():
        sns.create_topic(Name=topic.rpartition(":")[2])
        for function in functions:
            sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)


def _make_buckets(session: Any, sources: Sources) -> None:
    s3 = session.client("s3")
    for bucket, functions in sources.buckets.items():
        s3.create_bucket(Bucket=bucket)
        configurations = [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]} for function in functions]
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={"LambdaFunctionConfigurations": configurations},
            SkipDestinationValidation=True,
        )


def _make_rules(session: Any, sources: Sources) -> None:
    events = session.client("events")
    for rule, functions in sources.rules.items():
        name = rule.rpartition("/")[2]
        events.put_rule(Name=name, ScheduleExpression="rate(1 hour)")
        targets = [{"Id": str(number), "Arn": function} for number, function in enumerate(functions)]
        events.put_targets(Rule=name, Targets=targets)


def _make_apis(session: Any, sources: Sources) -> None:
    gateway = session.client("apigateway")
    for api, functions in sources.apis.items():
        gateway.create_rest_api(name=api, tags={"_custom_id_": api})
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        for function in functions:
            uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
            resource = gateway.create_resource(restApiId=api, parentId=root, pathPart=function.rpartition(":")[2])["id"]
            of = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
            gateway.put_method(**of, authorizationType="NONE")
            gateway.put_integration(**of, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        gateway.create_deployment(restApiId=api, stageName="prod")
