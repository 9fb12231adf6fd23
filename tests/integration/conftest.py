"""The functions of the stack, loaded by their paths, in an in-memory account."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import moto.iam.models
import pytest
from aws_lambda_powertools import Metrics
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.iam.aws_managed_policies import aws_managed_policies_data

from permission_guard.aws import clients
from permission_guard.aws.readers.configuration import ConfigurationRead
from permission_guard.aws.tables.finding_items import read_finding
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.bootstrap import (
    alert_samples,
    alerts,
    callers,
    checks,
    configuration,
    decisions,
    findings,
    fixes,
    patience,
    publisher,
    snapshots,
    sweep,
    ticket_samples,
    tickets,
)
from permission_guard.config.document import GuardConfig
from permission_guard.fixes.attach_managed_policy import ATTACHABLE
from tests import sts
from tests.fakes import QUEUE_ARN, ROLE_ARN, SQS_POLICY_ARN, TARGET, TRUST_LAMBDA
from tests.inline_pool import InlinePool
from tests.moto_tables import speed_up_tables
from tests.paths import REPOSITORY
from tests.stack_tables import DECISIONS_TABLE, DELIVERIES_TABLE, TABLE, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Inventory, Unread
    from permission_guard.model.targets import FunctionTarget

EVENTS = REPOSITORY / "events"
BUS = "permission-guard"
DELIVERIES = DELIVERIES_TABLE["TableName"]
DECISIONS = DECISIONS_TABLE["TableName"]
DECIDE_FIX = "arn:aws:lambda:us-east-1:123456789012:function:decide_fix"

REGIONS = [region for region in RegionsAndZonesBackend.regions if region.name in ("eu-west-1", "us-east-1")]

# In these calls moto accepts only the names of functions; AWS accepts their ARNs too.
_BY_NAME_IN_MOTO = ("ListAliases", "ListVersionsByFunction")


@dataclass
class Run:
    """The result of one invocation: its answer, logs, metrics and AWS calls."""

    answer: Any
    log: str
    counts: dict[str, float]
    calls: list[str]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        return [json.loads(line) for line in self.log.splitlines()]

    def line(self, message: str) -> dict[str, Any]:
        """Return the only line with a message."""
        (found,) = [line for line in self.lines if line["message"] == message]
        return found

    @property
    def failed(self) -> list[str]:
        """Return the messages that are retried."""
        return [failure["itemIdentifier"] for failure in self.answer["batchItemFailures"]]


@dataclass
class Account:
    """An account with the stack's tables, bus and queues, and helpers to change and read it."""

    read_output: Callable[[], str]
    calls: list[str] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)
    remaining_time_in_millis: Callable[[], int] = lambda: 180_000
    config: GuardConfig = field(default_factory=lambda: GuardConfig(grace_period_seconds=0))
    """The deployed configuration: moto has no data plane of AppConfig."""

    def __post_init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb")
        self.iam = boto3.client("iam")
        self.lambda_ = boto3.client("lambda")
        self.sqs = boto3.client("sqs")
        self.sns = boto3.client("sns")
        self.events = boto3.client("events")
        self.dynamodb.create_table(**TABLE)
        self.dynamodb.create_table(**DELIVERIES_TABLE)
        self.dynamodb.create_table(**DECISIONS_TABLE)
        self.events.create_event_bus(Name=BUS)
        for name in ("dynamodb", "iam", "lambda", "sqs", "sns", "events", "ssm"):
            self._watch(clients.client(name))

    def _watch(self, client: Any) -> None:
        def count(model: Any, **_more: Any) -> None:
            self.calls.append(f"{model.service_model.endpoint_prefix}:{model.name}")

        client.meta.events.register("before-call", count)
        if client.meta.service_model.service_name == "lambda":
            for operation in _BY_NAME_IN_MOTO:
                client.meta.events.register(f"provide-client-params.lambda.{operation}", _by_name)
            client.meta.events.register_last("before-call.lambda.ListFunctionUrlConfigs", _no_urls)

    # ── Actions of users ────────────────────────────────────────────────────────────────────────────────────────────

    def make_role(self, arn: str = ROLE_ARN) -> None:
        """Create an execution role that may only write logs."""
        path, name = arn.split(":role", 1)[1].rsplit("/", 1)
        self.iam.create_role(RoleName=name, Path=f"{path}/", AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
        self.iam.attach_role_policy(RoleName=name, PolicyArn=LOGS_POLICY_ARN)

    def make_function(self, name: str = TARGET.name, role_arn: str = ROLE_ARN, **tags: str) -> None:
        """Create a function."""
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "")
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role_arn,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"PASSWORD": "hunter2"}},
            Tags=tags,
        )

    def map_queue(self, name: str = TARGET.name, queue_arn: str = QUEUE_ARN) -> str:
        """Have a function poll a queue; return the mapping's UUID."""
        self.queue(queue_arn.rsplit(":", 1)[-1])
        return self.lambda_.create_event_source_mapping(FunctionName=name, EventSourceArn=queue_arn)["UUID"]

    def attach_new_policy(self, document: dict[str, Any], name: str = "orders") -> str:
        """Create a managed policy and attach it to the role; return its ARN."""
        arn = self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        self.iam.attach_role_policy(RoleName=ROLE_ARN.rsplit("/", 1)[-1], PolicyArn=arn)
        return arn

    def queue(self, name: str) -> str:
        """Return a queue's URL; the queue is created on first use."""
        if name not in self.urls:
            self.urls[name] = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return self.urls[name]

    # ── Actions of the stack ────────────────────────────────────────────────────────────────────────────────────────

    def run(self, name: str, event: dict[str, Any]) -> Run:
        """Invoke a function of the stack in a new execution environment."""
        path = REPOSITORY / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"functions_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        log = io.StringIO()
        app.logger.registered_handler.setStream(log)
        context = SimpleNamespace(
            function_name=name,
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=self.remaining_time_in_millis,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
            aws_request_id="5d3c1a52-2b3f-4d4e-9c5b-0a1b2c3d4e5f",
        )
        self.calls.clear()
        self.read_output()
        answer = app.handler(event, context)
        counts: Counter[str] = Counter()
        for line in self.read_output().splitlines():
            emitted = json.loads(line)
            assert emitted["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "PermissionGuard"
            for metric in emitted["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                counts[metric["Name"]] += sum(emitted[metric["Name"]])
        return Run(answer, log.getvalue(), {key: value for key, value in counts.items() if value}, list(self.calls))

    # ── Results ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def table(self) -> FindingsTable:
        """Return the findings table."""
        return FindingsTable(self.dynamodb, TABLE_NAME)

    @property
    def findings(self) -> list[Finding]:
        """Return every finding."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE_NAME)
        items = [item for page in pages for item in page["Items"]]
        return [read_finding(item) for item in items if item["sk"]["S"].startswith("FINDING#")]

    @property
    def finding(self) -> Finding:
        """Return the only finding."""
        (found,) = self.findings
        return found

    def received(self, name: str) -> list[str]:
        """Receive every message of a queue; return their bodies in the order of sending."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue(name), MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.queue(name), ReceiptHandle=message["ReceiptHandle"])
        return found

    def stream(self) -> dict[str, Any]:
        """Return every record of the findings table's stream, as Lambda gets it."""
        streams = boto3.client("dynamodbstreams")
        arn = self.dynamodb.describe_table(TableName=TABLE_NAME)["Table"]["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records: list[Any] = []
        page = streams.get_records(ShardIterator=iterator["ShardIterator"])
        while page["Records"]:
            records += page["Records"]
            page = streams.get_records(ShardIterator=page["NextShardIterator"])
        return {"Records": records}

    def attached(self) -> list[str]:
        """Return the ARNs of the policies that are attached to the role, sorted."""
        reply = self.iam.list_attached_role_policies(RoleName=ROLE_ARN.rsplit("/", 1)[-1])
        return sorted(policy["PolicyArn"] for policy in cast("list[dict[str, str]]", reply["AttachedPolicies"]))


def sqs_event(*bodies: str | dict[str, Any]) -> dict[str, Any]:
    """Return a batch of messages as Lambda gets them."""
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body if isinstance(body, str) else json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


def cloudtrail(name: str, **request: Any) -> dict[str, Any]:
    """Return a sample event with changed request parameters."""
    event: dict[str, Any] = json.loads((EVENTS / "cloudtrail" / f"{name}.json").read_text())
    event["detail"]["requestParameters"].update(request)
    return event


def detached(role: str = "orders-role", policy: str = SQS_POLICY_ARN) -> dict[str, Any]:
    """Return the event of a policy that was detached from a role just now."""
    event = cloudtrail("detach_role_policy", roleName=role, policyArn=policy)
    event["detail"]["eventTime"] = datetime.now(UTC).isoformat(timespec="seconds")
    return event


def _no_urls(**_more: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """Reply that a function has no URL: moto does not implement the call."""
    return AWSResponse("", 200, HTTPHeaders(), None), {"FunctionUrlConfigs": []}


def _by_name(params: dict[str, Any], **_more: Any) -> dict[str, Any]:
    return {**params, "FunctionName": params["FunctionName"].rsplit(":", 1)[-1]}


class NoInventories:
    """A reader of inventories that finds nothing: the dozen clients of the real one are slow."""

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:
        return ()

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:
        return True


NO_INVENTORIES = NoInventories()


LOGS_POLICY_ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@cache
def _attachable_policies() -> str:
    every = json.loads(aws_managed_policies_data)
    names = [path.rsplit("/", 1)[-1] for path in (*ATTACHABLE, LOGS_POLICY_ARN)]
    return json.dumps({name: every[name] for name in names})


def clear_caches() -> None:
    """Clear the cached composition roots and clients, as in a new execution environment."""
    every = (
        alerts,
        callers,
        checks,
        clients,
        configuration,
        decisions,
        findings,
        fixes,
        patience,
        publisher,
        snapshots,
        sweep,
        tickets,
    )
    for module in every:
        for part in vars(module).values():
            if hasattr(part, "cache_clear"):
                part.cache_clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[sts.Sts]:
    """Run AWS STS on loopback; the account's credentials are those that it knows."""
    with sts.running() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", sts.KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sts.SECRET)
        yield running


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Account]:
    """Return an in-memory account, with the environment variables of template.yaml."""
    Metrics(namespace="PermissionGuard", service="tests").clear_metrics()  # all objects share what was counted
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FINDINGS_TABLE": TABLE_NAME,
        "CHECK_QUEUE_URL": "to be made",
        "CONFIGURATION_APPLICATION": "abc1234",
        "CONFIGURATION_ENVIRONMENT": "ghi9012",
        "CONFIGURATION_PROFILE": "def5678",
        "DELIVERIES_TABLE": DELIVERIES,
        "EVENT_BUS": BUS,
        "STACK_NAME": "permission-guard",
        "FIX_MODE": "off",
        "DECISIONS_TABLE": DECISIONS,
        "DECIDE_FIX_ARN": DECIDE_FIX,
        "TICKET_SYSTEM": "none",
    }.items():
        monkeypatch.setenv(name, value)
    # moto has a copy of all AWS managed policies; parsing a thousand of them takes a second for each test.
    monkeypatch.setattr(moto.iam.models, "aws_managed_policies_data", _attachable_policies())
    speed_up_tables(monkeypatch)
    clear_caches()
    monkeypatch.setattr(snapshots, "_inventories", lambda: NO_INVENTORIES)
    for module in (alert_samples, findings, fixes, snapshots, ticket_samples):
        monkeypatch.setattr(module, "thread_pool", InlinePool)  # moto is not safe for threads
    # moto has all regions of all partitions; a client for each takes seconds.
    monkeypatch.setattr(RegionsAndZonesBackend, "regions", REGIONS)
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        account = Account(lambda: capsys.readouterr().out)
        monkeypatch.setenv("CHECK_QUEUE_URL", account.queue("checks"))
        monkeypatch.setenv("ALERT_QUEUE_URL", account.queue("alerts"))
        monkeypatch.setenv("TICKET_QUEUE_URL", account.queue("tickets"))
        read = SimpleNamespace(read=lambda: ConfigurationRead(account.config))
        monkeypatch.setattr(configuration, "_deployed", lambda _settings: read)
        yield account
    clear_caches()
