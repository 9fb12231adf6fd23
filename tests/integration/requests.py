"""Requests of people, signed as the command line signs them, and the stack that it finds the functions in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3

from permission_guard.aws.senders import signed_requests
from permission_guard.findings.requests import FindingRequest
from tests.fakes import TABLE_NAME

if TYPE_CHECKING:
    import pytest

    from permission_guard.model.signed_requests import SignedRequest
    from tests.integration.conftest import Account

DECIDE_FIX = "arn:aws:lambda:us-east-1:123456789012:function:decide_fix"
MANAGE_FINDINGS = "arn:aws:lambda:us-east-1:123456789012:function:manage_findings"
QUEUES = {"INVOKE_POLICY_QUEUE_URL": "invoke", "EXECUTION_ROLE_QUEUE_URL": "role", "ALERT_QUEUE_URL": "alerts"}


def make_queues(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the queues that `manage_findings` sends to."""
    for variable, name in QUEUES.items():
        monkeypatch.setenv(variable, account.queue(name))


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
