"""Requests of people, signed as the command line signs them, and the stack that it finds the functions in."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.response import StreamingBody

from permission_guard.aws import clients
from permission_guard.aws.senders import signed_requests
from permission_guard.bootstrap import findings
from permission_guard.findings.requests import FindingRequest
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    import pytest

    from permission_guard.model.signed_requests import SignedRequest
    from tests.integration.conftest import Account, Run

DECIDE_FIX = "arn:aws:lambda:us-east-1:123456789012:function:decide_fix"
MANAGE_FINDINGS = "arn:aws:lambda:us-east-1:123456789012:function:manage_findings"
QUEUES = {"INVOKE_POLICY_QUEUE_URL": "invoke", "EXECUTION_ROLE_QUEUE_URL": "role"}


def make_queues(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the queues that `manage_findings` sends to, and name the functions that it invokes."""
    for variable, name in QUEUES.items():
        monkeypatch.setenv(variable, account.queue(name))
    monkeypatch.setenv("SEND_ALERT_FUNCTION", "send_alert")
    monkeypatch.setenv("OPEN_TICKET_FUNCTION", "open_ticket")


class Invocations:
    """Lambda's `Invoke`, which moto cannot do without Docker: it runs the function, or raises what a test sets."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.events: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.runs: dict[str, Run] = {}
        client = clients.patient_client("lambda", findings._ANSWER_SECONDS)
        client.meta.events.register("before-call.lambda.Invoke", self._invoke)

    def _invoke(self, params: Any, **_more: Any) -> Any:
        name, event = params["url_path"].split("/")[-2], json.loads(params["body"])
        self.events[name] = event
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.runs[name] = self.account.run(name, event)
            answer = {"Payload": self.runs[name].answer}
        body = answer["Payload"] if isinstance(answer["Payload"], bytes) else json.dumps(answer["Payload"]).encode()
        stream = StreamingBody(io.BytesIO(body), len(body))
        return AWSResponse("", answer.get("status", 200), HTTPHeaders(), None), answer | {"Payload": stream}


def signed(request: SignedRequest, function: str = MANAGE_FINDINGS) -> dict[str, Any]:
    """Return a request to a function with the signature of the caller's command line."""
    session = boto3.Session(region_name="us-east-1")
    signature = signed_requests._signature(session, "us-east-1", request.digest(function))
    return {**request.to_document(), "signature": signature}


def request(**fields: Any) -> dict[str, Any]:
    """Return a signed request."""
    return signed(FindingRequest.from_document({"nonce": "f" * 32, **fields}))


def deploy(name: str = "permission-guard", **changed: str | None) -> None:
    """Create a stack with the outputs that the command line reads; None leaves one out."""
    outputs = {
        "FindingsTableName": TABLE_NAME,
        "ManageFindingsFunctionArn": MANAGE_FINDINGS,
        "DecideFixFunctionArn": DECIDE_FIX,
        **changed,
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {output: {"Value": value} for output, value in outputs.items() if value is not None},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
