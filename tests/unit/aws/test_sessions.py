"""The sessions of a scan: of a profile, of a role, and of an organization's accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from moto import mock_aws

from permission_guard.aws import sessions
from permission_guard.aws.readers import own_access
from permission_guard.aws.sessions import (
    Identity,
    active_accounts,
    enabled_regions,
    identity,
    profile_session,
    require_role,
    role_session,
    session_like,
)
from permission_guard.errors import ConfigurationError
from permission_guard.model.access import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "arn:aws:iam::111122223333:role/audit"
JANE = Identity("123456789012", "aws", "arn:aws:iam::123456789012:user/jane")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials of nobody, and an account in memory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


class Client:
    """A client of which each call fails, or has a reply."""

    def __init__(self, **replies: Any) -> None:
        self._replies = replies
        self.meta = boto3.client("lambda").meta

    def __getattr__(self, name: str) -> Any:
        def call(**_parameters: Any) -> Any:
            reply = self._replies[name]
            if isinstance(reply, Exception):
                raise reply
            return reply

        return call

    def get_paginator(self, name: str) -> Any:
        """Return what has one page."""
        call = getattr(self, name)
        return type("Pages", (), {"paginate": staticmethod(lambda **more: [call(**more)])})


def denied(code: str = "AccessDenied") -> ClientError:
    """Return an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}, "Any")  # type: ignore[typeddict-item]


def test_who_runs_the_scan() -> None:
    """Moto's own account."""
    assert identity(profile_session(None)).account == "123456789012"


def test_a_profile_that_does_not_exist_is_named() -> None:
    """With what to do."""
    with pytest.raises(ConfigurationError, match="there is no AWS profile 'absent'"):
        profile_session("absent")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoCredentialsError(), "there are no AWS credentials"),
        (denied("ExpiredToken"), "the AWS credentials have expired"),
        (denied("InvalidClientTokenId"), "AWS does not know the credentials"),
        (EndpointConnectionError(endpoint_url="https://sts.example"), "Could not connect to the endpoint URL"),
    ],
)
def test_credentials_that_do_not_work_are_named(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    """In one line."""
    monkeypatch.setattr(sessions, "client_of", lambda *_: Client(get_caller_identity=error))
    with pytest.raises(ConfigurationError, match=message):
        identity(profile_session(None))


def test_the_role_of_another_account_is_assumed() -> None:
    """By its first call, and in another session of it too."""
    session = role_session(profile_session(None), ROLE)
    require_role(session, ROLE)
    for one in (session, session_like(session)):
        assert identity(one).account == "111122223333"


def test_a_role_that_cannot_be_assumed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its ARN."""
    monkeypatch.setattr(sessions, "client_of", lambda *_: Client(get_caller_identity=denied()))
    with pytest.raises(ConfigurationError, match=f"AWS denied sts:AssumeRole on {ROLE}"):
        require_role(profile_session(None), ROLE)


def test_only_active_accounts_are_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the new name of the field, and the old one."""
    accounts = [
        {"Id": "333333333333", "State": "ACTIVE"},
        {"Id": "222222222222", "Status": "ACTIVE"},
        {"Id": "444444444444", "Status": "SUSPENDED"},
        {"Id": "555555555555", "State": "CLOSED", "Status": "ACTIVE"},
    ]
    monkeypatch.setattr(sessions, "client_of", lambda *_: Client(list_accounts={"Accounts": accounts}))
    assert active_accounts(profile_session(None)) == ("222222222222", "333333333333")


def test_enabled_regions_are_sorted() -> None:
    """As EC2 lists them."""
    regions = enabled_regions(profile_session(None))
    assert "eu-west-1" in regions
    assert list(regions) == sorted(regions)


def test_the_simulator_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """What depends on a key that only a real call has is unknown, and so is what it does not answer."""
    results: list[dict[str, Any]] = [
        {"EvalActionName": "lambda:GetPolicy", "EvalDecision": "allowed"},
        {"EvalActionName": "lambda:ListAliases", "EvalDecision": "implicitDeny"},
        {"EvalActionName": "iam:GetRole", "EvalDecision": "explicitDeny"},
        {"EvalActionName": "sqs:GetQueueAttributes", "EvalDecision": "implicitDeny", "MissingContextValues": ["aws:x"]},
    ]
    replies = {"simulate_principal_policy": {"EvaluationResults": results}}
    monkeypatch.setattr(own_access, "client_of", lambda *_: Client(**replies))
    wanted = [*(one["EvalActionName"] for one in results), "tag:GetResources"]
    found = own_access.access_of(profile_session(None), JANE, "us-east-1", map(str, wanted))
    assert [(one.action, one.decision) for one in found] == [
        ("iam:GetRole", Decision.DENIED),
        ("lambda:GetPolicy", Decision.ALLOWED),
        ("lambda:ListAliases", Decision.DENIED),
        ("sqs:GetQueueAttributes", Decision.UNKNOWN),
        ("tag:GetResources", Decision.UNKNOWN),
    ]


def test_without_the_simulator_calls_that_only_read_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that needs a resource, or writes, is not made: unknown."""
    replies = {
        "simulate_principal_policy": denied(),
        "list_functions": {},
        "list_event_source_mappings": denied("AccessDeniedException"),
        "get_account_settings": denied("Throttling"),
    }
    monkeypatch.setattr(own_access, "client_of", lambda *_: Client(**replies))
    wanted = ["lambda:ListFunctions", "lambda:ListEventSourceMappings", "lambda:GetPolicy", "lambda:DeleteFunction"]
    found = own_access.access_of(profile_session(None), JANE, "us-east-1", [*wanted, "lambda:GetAccountSettings"])
    assert {one.action: one.decision for one in found} == {
        "lambda:ListFunctions": Decision.ALLOWED,
        "lambda:ListEventSourceMappings": Decision.DENIED,
        "lambda:GetPolicy": Decision.UNKNOWN,
        "lambda:DeleteFunction": Decision.UNKNOWN,
        "lambda:GetAccountSettings": Decision.UNKNOWN,
    }
