"""PG212: which of AWS's messages report a missing permission, and the commands of the finding."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import SourceState
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules.execution_role.event_source_unauthorized import EventSourceUnauthorized
from tests.fakes import MAPPING_UUID, QUEUE_ARN, ROLE_ARN, SQS_POLICY, a_mapping, a_role, allow, polling

DENIED = "The function execution role does not have permissions to call ReceiveMessage on SQS."
MSK = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2"
BROKER = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders"


def check(document: Any = SQS_POLICY, **mapping: Any) -> Verdict:
    """Return the verdict on a mapping and its role."""
    unencrypted = dict.fromkeys([QUEUE_ARN, SECRET, f"{SECRET}-1a2B3c"], SourceState())
    state = replace(polling(a_role(document), mappings=(a_mapping(**mapping),)), sources=unencrypted)
    (verdict,) = evaluate(state, [EventSourceUnauthorized(TrustSet(frozenset()))]).verdicts
    return verdict


def commands(verdict: Verdict) -> list[list[str]]:
    """Return the words of each command of the remedy."""
    (remedy,) = verdict.remedies
    return [shlex.split(line) for line in remedy.text.splitlines()]


@pytest.mark.parametrize(
    "message",
    [
        "EVENT_SOURCE_AUTHZ_ERROR",
        "PROBLEM: Cluster failed to authorize Lambda.",
        "Lambda does not have required permissions to access the queue.",
        "Lambda does not have the required permissions to access the event source.",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        "Cannot access secret. Please ensure the role can perform the 'secretsmanager:GetSecretValue' action",
        "PROBLEM: User: arn:aws:sts::123456789012:assumed-role/a/b is not authorized to perform: kms:Decrypt",
        "Not authorized to access topics: [placed]",
        "PROBLEM: Access Denied",
        "PROBLEM: AccessDeniedException",
        "PROBLEM: Lambda failed to assume your function execution role.",
    ],
)
@pytest.mark.parametrize("where", ["state_transition_reason", "last_processing_result"])
def test_aws_s_message_on_a_permission_is_reported_from_each_field(where: str, message: str) -> None:
    """In AWS's own words."""
    verdict = check(**{where: message})
    assert verdict.outcome is Outcome.VIOLATION
    assert f'"{message.removesuffix(".")}"' in verdict.reason
    assert verdict.evidence[where] == message


@pytest.mark.parametrize(
    "message",
    [
        "",
        "OK",
        "No records processed",
        "USER_INITIATED",
        "User action",
        "PROBLEM: Function call failed",
        "PROBLEM: Lambda internal error. Please contact Lambda customer support.",
        "PROBLEM: SASL authentication failed.",
        "PROBLEM: Server failed to authenticate Lambda.",
        "PROBLEM: Lambda failed to authenticate server.",
        "PROBLEM: Provided certificate or private key is invalid.",
        "PROBLEM: Connection error. Please check your event source connection configuration.",
        "EVENT_SOURCE_AUTHN_ERROR",
        "ESM_CONFIG_NOT_VALID",
        "FUNCTION_CONFIG_NOT_VALID",
    ],
)
def test_messages_that_are_not_about_permissions_pass(message: str) -> None:
    """Credentials, certificates, networks and functions fail for other reasons."""
    assert check(state_transition_reason=message, last_processing_result=message).outcome is Outcome.PASS


def test_the_commands_only_read() -> None:
    """AWS's current message, the role's permissions with the service control policies, and the queue's own policy."""
    mapping, simulate, queue = commands(check(last_processing_result=DENIED))
    assert mapping == f"aws lambda get-event-source-mapping --region us-east-1 --uuid {MAPPING_UUID}".split()
    assert simulate[:5] == ["aws", "iam", "simulate-principal-policy", "--region", "us-east-1"]
    assert simulate[5:] == [
        *("--policy-source-arn", ROLE_ARN),
        *("--action-names", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *("--resource-arns", QUEUE_ARN),
    ]
    assert queue[:3] == ["aws", "sqs", "get-queue-attributes"]
    assert "--queue-owner-aws-account-id 123456789012 --queue-name incoming-orders" in queue[-1]


def test_an_action_without_resources_is_simulated_with_a_star() -> None:
    """Such as those on network interfaces."""
    verdict = check(allow("*"), source=BROKER, last_processing_result=DENIED)
    simulated = [words for words in commands(verdict) if words[2] == "simulate-principal-policy"]
    assert [words[words.index("--resource-arns") + 1 :] for words in simulated] == [[BROKER], ["*"]]


def test_a_resource_that_is_not_known_in_full_is_not_simulated() -> None:
    """The simulation accepts no patterns: a secret without its last six characters is skipped."""
    access = [{"Type": "BASIC_AUTH", "URI": SECRET}]
    configuration = {"Queues": ["orders"], "SourceAccessConfigurations": access}
    verdict = check(allow("*"), source=BROKER, last_processing_result=DENIED, configuration=configuration)
    assert verdict.outcome is Outcome.VIOLATION
    assert "secretsmanager:GetSecretValue" in verdict.reason
    assert not any(SECRET in word for words in commands(verdict) for word in words)


@pytest.mark.parametrize(("kind", "by_user"), [("IAM_AUTH", False), ("SASL_SCRAM_512_AUTH", True)])
def test_the_access_control_lists_are_named_if_a_user_of_the_cluster_signs_in(kind: str, *, by_user: bool) -> None:
    """With IAM there is no such user."""
    access = [{"Type": kind, **({"URI": f"{SECRET}-1a2B3c"} if by_user else {})}]
    verdict = check(
        allow("*"),
        source=MSK,
        last_processing_result="PROBLEM: Cluster failed to authorize Lambda.",
        configuration={"Topics": ["placed"], "SourceAccessConfigurations": access},
    )
    assert verdict.outcome is Outcome.VIOLATION
    assert ("access control lists" in verdict.reason) is by_user
