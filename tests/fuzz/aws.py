"""A small AWS account behind real boto3 clients: requests are validated by botocore, and answered in memory.

The account has four functions, each with a public policy, a role that may only write logs, and an event source mapping;
and secrets that no log and no message may contain. What is not listed here does not exist.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from permission_guard.model import limits
from tests.aws_limits import entry_size
from tests.fakes import ACCOUNT, LOGS, QUEUE_ARN, REGION, SQS_POLICY, SQS_POLICY_ARN, TRUST_LAMBDA, allow
from tests.in_memory.dynamodb import Table, Tables
from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel

FINDINGS: Final = "findings"
DELIVERIES: Final = "deliveries"
DECISIONS: Final = "decisions"
BUS: Final = "permission-guard"
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
WEBHOOK_SECRET_ARN: Final = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:slack-AbCdEf"
ALERT_QUEUE: Final = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/alerts"
TICKET_QUEUE: Final = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/tickets"
FIX_QUEUE: Final = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/fixes"
CHECK_QUEUE: Final = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/checks"
OTHER_QUEUE: Final = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/other-checks"

WEBHOOK: Final = "https://hooks.slack.com/services/T0000/B0000/Zx9Qsecret"
PASSWORD: Final = "hunter2-of-the-function"
SESSION_TOKEN: Final = "FwoGZXIvYXdzEexample=="
SECRETS: Final = ("Zx9Qsecret", PASSWORD, SESSION_TOKEN)
"""Parts of secrets that the handlers read, or could read: in a reply of Lambda, in Secrets Manager, of a caller."""

ORDERS: Final = "orders"
"""The function that the mutated inputs are about, unless a mutation names another."""
OTHERS: Final = ("invoices", "payments", "refunds")
"""The functions that the good inputs are about."""
FUNCTIONS: Final = (ORDERS, *OTHERS)
MAPPINGS: Final = {name: f"0e6f4d9c-7c5b-4c5b-9a53-3f1f6f0f5a1{number}" for number, name in enumerate(FUNCTIONS)}

DECIDE_FIX_ARN: Final = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:decide_fix"
MANAGE_FINDINGS_ARN: Final = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:manage_findings"

ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "FINDINGS_TABLE": FINDINGS,
    "DELIVERIES_TABLE": DELIVERIES,
    "DECISIONS_TABLE": DECISIONS,
    "DECIDE_FIX_ARN": DECIDE_FIX_ARN,
    "CHECK_QUEUE_URL": CHECK_QUEUE,
    "INVOKE_POLICY_QUEUE_URL": CHECK_QUEUE,
    "EXECUTION_ROLE_QUEUE_URL": OTHER_QUEUE,
    "ALERT_QUEUE_URL": ALERT_QUEUE,
    "TICKET_QUEUE_URL": TICKET_QUEUE,
    "FIX_QUEUE_URL": FIX_QUEUE,
    "STACK_NAME": "permission-guard",
    "CONFIGURATION_APPLICATION": "abc1234",
    "CONFIGURATION_ENVIRONMENT": "ghi9012",
    "CONFIGURATION_PROFILE": "def5678",
    "EVENT_BUS": BUS,
    "FIX_MODE": "approve",
    "SEND_ALERT_FUNCTION": "send_alert",
    "OPEN_TICKET_FUNCTION": "open_ticket",
    "TICKET_SYSTEM": "opsitem",
    "TOPIC_ARN": TOPIC,
    "SLACK_SECRET_ARN": WEBHOOK_SECRET_ARN,
}
"""The environment variables of every function of the stack."""


def function_arn(name: str) -> str:
    """Return the ARN of a function of the account."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def role_arn(name: str) -> str:
    """Return the ARN of the execution role of a function of the account."""
    return f"arn:aws:iam::{ACCOUNT}:role/service-role/{name}-role"


@dataclass
class Write:
    """A call that changes something."""

    operation: str
    params: Mapping[str, Any]


@dataclass
class FakeAws:
    """The account. `writes` are the calls since `start` that change something, `strange` those that are not known."""

    tables: Tables = field(
        default_factory=lambda: Tables(
            Table(FINDINGS, {"pk": "S", "sk": "S"}, {"by-status": {"status": "S", "changed_at": "S"}}),
            Table(DELIVERIES, {"finding_id": "S", "channel": "S"}),
            Table(DECISIONS, {"finding_id": "S", "revision": "N"}),
        )
    )
    writes: list[Write] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    attached: set[tuple[str, str]] = field(default_factory=set)
    ops_items: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Empty the account of all that handlers wrote."""
        for items in self.tables.items.values():
            items.clear()
        for part in (self.writes, self.strange, self.attached, self.ops_items):
            part.clear()

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        if service not in self.clients:
            self.clients[service] = _client(service, self)
        return self.clients[service]

    def written(self, operation: str) -> list[Mapping[str, Any]]:
        """Return the requests of one operation, such as `sns:Publish`."""
        return [write.params for write in self.writes if write.operation == operation]

    def answer(self, operation: str, params: Mapping[str, Any], model: OperationModel) -> dict[str, Any]:
        """Return AWS's reply; RejectedError for an error."""
        if not _is_read(model.name):
            self.writes.append(Write(operation, params))
        if operation.startswith("dynamodb:"):
            return self.tables.answer(model.name, params)
        if answer := _ANSWERS.get(operation):
            return answer(self, params)
        if not _is_read(model.name):
            self.strange.append(operation)
        if model.name.startswith(("List", "Describe")) and model.output_shape is not None:
            lists = [name for name, shape in model.output_shape.members.items() if shape.type_name == "list"]
            return {name: [] for name in lists}
        raise RejectedError("ResourceNotFoundException", "it does not exist")

    # ── Lambda and IAM ──────────────────────────────────────────────────────────────────────────────────────────────

    def _function(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = _function_name(params["FunctionName"])
        return {
            "FunctionName": name,
            "FunctionArn": function_arn(name),
            "Role": role_arn(name),
            "Runtime": "python3.13",
            "State": "Active",
            "Environment": {"Variables": {"PASSWORD": PASSWORD}},
        }

    def _functions(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Functions": [self._function({"FunctionName": function_arn(name)}) for name in FUNCTIONS]}

    def _resource_policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = _function_name(params["FunctionName"])
        statement = {
            "Sid": "public",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "lambda:InvokeFunction",
            "Resource": function_arn(name),
        }
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}), "RevisionId": "1"}

    def _mappings(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "EventSourceMappings": [
                {
                    "UUID": uuid,
                    "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{uuid}",
                    "FunctionArn": function_arn(name),
                    "EventSourceArn": QUEUE_ARN,
                    "State": "Enabled",
                    "StateTransitionReason": "USER_INITIATED",
                }
                for name, uuid in MAPPINGS.items()
            ]
        }

    def _tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Tags": {"name": _function_name(params["Resource"])}}

    def _role(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = _role_name(params)
        return {
            "Role": {
                "Arn": role_arn(name.removesuffix("-role")),
                "RoleName": name,
                "RoleId": "AROAEXAMPLE",
                "Path": "/service-role/",
                "CreateDate": "2026-11-01T00:00:00Z",
                "AssumeRolePolicyDocument": quote(json.dumps(TRUST_LAMBDA)),
            }
        }

    def _attached(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arns = [arn for role, arn in sorted(self.attached) if role == _role_name(params)]
        return {"AttachedPolicies": [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in arns]}

    def _inline(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _role_name(params)
        return {"PolicyNames": ["logs"]}

    def _inline_policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        document = quote(json.dumps(allow(*LOGS)))
        return {"RoleName": _role_name(params), "PolicyName": params["PolicyName"], "PolicyDocument": document}

    def _managed_policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["PolicyArn"] != SQS_POLICY_ARN:
            raise RejectedError("NoSuchEntity", "the policy does not exist")
        return {"Policy": {"Arn": SQS_POLICY_ARN, "DefaultVersionId": "v1"}}

    def _policy_version(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"PolicyVersion": {"VersionId": "v1", "Document": quote(json.dumps(SQS_POLICY))}}

    def _roles_of_policy(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"PolicyRoles": [{"RoleName": "orders-role", "RoleId": "AROAEXAMPLE"}]}

    def _attach(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.attached.add((_role_name(params), params["PolicyArn"]))
        return {}

    def _detach(self, params: Mapping[str, Any]) -> dict[str, Any]:
        pair = (_role_name(params), params["PolicyArn"])
        if pair not in self.attached:
            raise RejectedError("NoSuchEntity", "the policy is not attached")
        self.attached.discard(pair)
        return {}

    def _invoke(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"StatusCode": 200, "Payload": io.BytesIO(b'{"results": []}')}

    # ── What receives ───────────────────────────────────────────────────────────────────────────────────────────────

    def _put_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        entries = params["Entries"]
        if len(entries) != 1 or entry_size(entries[0]) > limits.EVENT_ENTRY:
            raise RejectedError("ValidationException", "The request has too many entries, or is over the limit.")
        results = [_put_event(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _publish(self, params: Mapping[str, Any]) -> dict[str, Any]:
        subject = params["Subject"]
        is_valid = 0 < len(subject) <= limits.TOPIC_SUBJECT_CHARACTERS and subject.isascii() and subject.isprintable()
        if not is_valid or len(params["Message"].encode()) > limits.TOPIC_MESSAGE:
            raise RejectedError("InvalidParameter", "Invalid parameter: Subject or Message")
        return {"MessageId": "1"}

    def _send_messages(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if sum(len(entry["MessageBody"].encode()) for entry in params["Entries"]) > limits.QUEUE_MESSAGE:
            raise RejectedError("AWS.SimpleQueueService.BatchRequestTooLong", "the batch is too long")
        return {"Successful": [], "Failed": []}

    def _create_ops_item(self, params: Mapping[str, Any]) -> dict[str, Any]:
        reference = f"oi-{len(self.ops_items):012}"
        self.ops_items[reference] = {"OpsItemId": reference, "OperationalData": params["OperationalData"]}
        return {"OpsItemId": reference}

    def _ops_item(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["OpsItemId"] not in self.ops_items:
            raise RejectedError("OpsItemNotFoundException", "it does not exist")
        return {"OpsItem": self.ops_items[params["OpsItemId"]]}


DOCUMENT: Final = json.dumps({"version": 1, "grace_period_seconds": 0})
"""The configuration document."""

_ANSWERS: Final[dict[str, Callable[[FakeAws, Mapping[str, Any]], dict[str, Any]]]] = {
    "appconfigdata:StartConfigurationSession": lambda _aws, _params: {"InitialConfigurationToken": "t"},
    "appconfigdata:GetLatestConfiguration": lambda _aws, _params: {
        "Configuration": io.BytesIO(DOCUMENT.encode()),
        "NextPollConfigurationToken": "t",
    },
    "cloudformation:DescribeStackResources": lambda _aws, _params: _rejected("ValidationError", "does not exist"),
    "events:PutEvents": FakeAws._put_events,
    "iam:AttachRolePolicy": FakeAws._attach,
    "iam:DetachRolePolicy": FakeAws._detach,
    "iam:GetAccountSummary": lambda _aws, _params: {"SummaryMap": {"AttachedPoliciesPerRoleQuota": 20}},
    "iam:GetPolicy": FakeAws._managed_policy,
    "iam:GetPolicyVersion": FakeAws._policy_version,
    "iam:GetRole": FakeAws._role,
    "iam:GetRolePolicy": FakeAws._inline_policy,
    "iam:ListAttachedRolePolicies": FakeAws._attached,
    "iam:ListEntitiesForPolicy": FakeAws._roles_of_policy,
    "iam:ListRolePolicies": FakeAws._inline,
    "lambda:GetFunctionConfiguration": FakeAws._function,
    "lambda:GetPolicy": FakeAws._resource_policy,
    "lambda:Invoke": FakeAws._invoke,
    "lambda:ListEventSourceMappings": FakeAws._mappings,
    "lambda:ListFunctions": FakeAws._functions,
    "lambda:ListTags": FakeAws._tags,
    "secretsmanager:GetSecretValue": lambda _aws, _params: {"SecretString": WEBHOOK},
    "sns:Publish": FakeAws._publish,
    "sqs:GetQueueAttributes": lambda _aws, _params: {"Attributes": {"QueueArn": QUEUE_ARN}},
    "sqs:SendMessage": lambda _aws, _params: {"MessageId": "1"},
    "sqs:SendMessageBatch": FakeAws._send_messages,
    "ssm:CreateOpsItem": FakeAws._create_ops_item,
    "ssm:GetOpsItem": FakeAws._ops_item,
    "ssm:UpdateOpsItem": lambda _aws, _params: {},
}


def _is_read(operation: str) -> bool:
    reading = ("Get", "List", "Describe", "Query", "BatchGet", "Head", "Simulate", "StartConfigurationSession")
    return operation.startswith(reading)


def _rejected(code: str, message: str) -> dict[str, Any]:
    raise RejectedError(code, message)


def _put_event(entry: Mapping[str, Any]) -> dict[str, str]:
    try:
        json.loads(entry["Detail"], parse_constant=_no_constant)
    except ValueError:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "not JSON"}
    return {"EventId": "1"}


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _function_name(arn: str) -> str:
    """Return the name of a function of the account, whose ARN may have a qualifier that does not exist."""
    _, _, _, region, account, _, name, *qualifier = f"{arn}".split(":")
    if (region, account) != (REGION, ACCOUNT):
        raise RejectedError("AccessDeniedException", "not authorized")
    if name not in FUNCTIONS or qualifier:
        raise RejectedError("ResourceNotFoundException", "Function not found")
    return name


def _role_name(params: Mapping[str, Any]) -> str:
    name: str = params["RoleName"]
    if name.removesuffix("-role") not in FUNCTIONS or not name.endswith("-role"):
        raise RejectedError("NoSuchEntity", "the role does not exist")
    return name


# ── The clients ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _client(service: str, account: FakeAws) -> Any:
    client = boto3.client(
        service,  # type: ignore[call-overload]
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.meta.events.register("before-parameter-build", _note)
    client.meta.events.register("before-call", partial(_answer, account, service))
    return client


def _note(params: dict[str, Any], context: dict[str, Any], **_more: Any) -> None:
    context["fuzz_params"] = params


def _answer(
    account: FakeAws, service: str, model: OperationModel, context: dict[str, Any], **_more: Any
) -> tuple[AWSResponse, dict[str, Any]]:
    params = context["fuzz_params"]
    try:
        _require_characters(params)
        reply, status = account.answer(f"{service}:{model.name}", params, model), 200
    except RejectedError as error:
        reply, status = {"Error": {"Code": error.code, "Message": error.message}, **error.reply}, 400
    return AWSResponse("", status, HTTPHeaders(), None), {**reply, "ResponseMetadata": {"HTTPStatusCode": status}}


def _require_characters(params: Any) -> None:
    """Reject unpaired surrogates, as every service does: they are no characters."""
    try:
        json.dumps(params, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise RejectedError("SerializationException", "not UTF-8") from error
