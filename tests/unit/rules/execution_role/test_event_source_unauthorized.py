"""PG212: which of AWS's words speak of a permission, and what it offers to look at."""

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

REFUSED = "The function execution role does not have permissions to call ReceiveMessage on SQS."
MSK = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/6cc0432b-8618-4f44-bccc-e1fbd8fb7c4d-2"
BROKER = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-1234a5b6-78cd-901e-2fgh-3i45j6k178l9"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders"


def ask(document: Any = SQS_POLICY, **mapping: Any) -> Verdict:
    """Return what is said of a mapping and its role."""
    unencrypted = dict.fromkeys([QUEUE_ARN, SECRET, f"{SECRET}-1a2B3c"], SourceState())
    state = replace(polling(a_role(document), mappings=(a_mapping(**mapping),)), sources=unencrypted)
    (verdict,) = evaluate(state, [EventSourceUnauthorized(TrustSet(frozenset()))]).verdicts
    return verdict


def commands(verdict: Verdict) -> list[list[str]]:
    """Return the words of each command that is offered."""
    (remedy,) = verdict.remedies
    return [shlex.split(line) for line in remedy.text.splitlines()]


@pytest.mark.parametrize(
    "said",
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
def test_what_aws_says_of_a_permission_is_told_wherever_it_says_it(where: str, said: str) -> None:
    """In its own words."""
    verdict = ask(**{where: said})
    assert verdict.outcome is Outcome.VIOLATION
    assert f'"{said.removesuffix(".")}"' in verdict.reason
    assert verdict.evidence[where] == said


@pytest.mark.parametrize(
    "said",
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
def test_what_is_no_matter_of_permissions_passes(said: str) -> None:
    """Credentials, certificates, networks and functions fail for other reasons."""
    assert ask(state_transition_reason=said, last_processing_result=said).outcome is Outcome.PASS


def test_the_commands_only_look() -> None:
    """What AWS says now, what the role may with the service control policies, and the queue's own policy."""
    mapping, simulate, queue = commands(ask(last_processing_result=REFUSED))
    assert mapping == f"aws lambda get-event-source-mapping --region us-east-1 --uuid {MAPPING_UUID}".split()
    assert simulate[:5] == ["aws", "iam", "simulate-principal-policy", "--policy-source-arn", ROLE_ARN]
    assert simulate[5:] == [
        *("--action-names", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *("--resource-arns", QUEUE_ARN),
    ]
    assert queue[:3] == ["aws", "sqs", "get-queue-attributes"]
    assert "--queue-owner-aws-account-id 123456789012 --queue-name incoming-orders" in queue[-1]


def test_an_action_that_names_no_resource_is_simulated_with_a_star() -> None:
    """Network interfaces, for one."""
    verdict = ask(allow("*"), source=BROKER, last_processing_result=REFUSED)
    simulated = [words for words in commands(verdict) if words[2] == "simulate-principal-policy"]
    assert [words[words.index("--resource-arns") + 1 :] for words in simulated] == [[BROKER], ["*"]]


def test_what_is_not_known_to_the_end_is_not_simulated() -> None:
    """The simulation takes no patterns: a secret whose last six characters the mapping leaves out is passed over."""
    access = [{"Type": "BASIC_AUTH", "URI": SECRET}]
    configuration = {"Queues": ["orders"], "SourceAccessConfigurations": access}
    verdict = ask(allow("*"), source=BROKER, last_processing_result=REFUSED, configuration=configuration)
    assert verdict.outcome is Outcome.VIOLATION
    assert "secretsmanager:GetSecretValue" in verdict.reason
    assert not any(SECRET in word for words in commands(verdict) for word in words)


@pytest.mark.parametrize(("kind", "by_user"), [("IAM_AUTH", False), ("SASL_SCRAM_512_AUTH", True)])
def test_the_access_control_lists_are_named_where_a_user_of_the_cluster_signs_in(kind: str, *, by_user: bool) -> None:
    """With IAM there is no such user."""
    access = [{"Type": kind, **({"URI": f"{SECRET}-1a2B3c"} if by_user else {})}]
    verdict = ask(
        allow("*"),
        source=MSK,
        last_processing_result="PROBLEM: Cluster failed to authorize Lambda.",
        configuration={"Topics": ["placed"], "SourceAccessConfigurations": access},
    )
    assert verdict.outcome is Outcome.VIOLATION
    assert ("access control lists" in verdict.reason) is by_user
