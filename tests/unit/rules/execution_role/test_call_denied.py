"""PG213 beyond its cases: its remedies, and that no content of an event breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.intake.cloudtrail_record import parse_record
from permission_guard.intake.denied_calls import denied_call_of
from permission_guard.model.state import DeniedCall, Role, Snapshot
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.rules.execution_role.call_denied import CallDenied
from tests.fakes import FUNCTION_ARN, ROLE_ARN, TARGET, a_function, a_role
from tests.paths import EVENTS

CORPUS = EVENTS / "cloudtrail"
RULE = CallDenied(TrustSet(frozenset()))
NO_STATEMENTS = parse_policy({"Version": "2012-10-17", "Statement": []})


def sample(name: str) -> Any:
    """Load a sample event."""
    return json.loads((CORPUS / f"{name}.json").read_text())


def denied(name: str) -> DeniedCall:
    """Read the denied call of a sample event."""
    call = denied_call_of(parse_record(sample(name)))
    assert call is not None
    return call


def check(call: DeniedCall, role: Role | None, *, exists: bool = True) -> Verdict:
    """Return the one verdict on a denied call, of a function that exists or not."""
    function = a_function() if exists else None
    versions = {FUNCTION_ARN: function, call.function_arn: function}
    snapshot = Snapshot(TARGET, function, versions=versions, roles={ROLE_ARN: role}, denied_calls=(call,))
    (verdict,) = evaluate(snapshot, [RULE]).verdicts
    return verdict


def remedy(verdict: Verdict, kind: str) -> str:
    """Return a remedy's text."""
    return next(remedy.text for remedy in verdict.remedies if remedy.kind == kind)


def test_the_remedy_of_a_mapping_is_the_managed_policy_of_its_source() -> None:
    """It also has the actions that AWS would name next."""
    verdict = check(denied("create_event_source_mapping_denied_queue"), a_role())
    assert remedy(verdict, "aws-cli").endswith(":policy/service-role/AWSLambdaSQSQueueExecutionRole")
    assert "sqs:DeleteMessage" in remedy(verdict, "policy-statement")


def test_the_remedy_of_a_function_in_a_vpc_is_the_managed_policy_for_vpc_access() -> None:
    """Although the function does not exist yet."""
    verdict = check(denied("create_function_denied_network"), a_role(), exists=False)
    assert remedy(verdict, "aws-cli").endswith(":policy/service-role/AWSLambdaVPCAccessExecutionRole")


def test_the_remedy_of_a_dead_letter_queue_is_a_statement_for_that_queue() -> None:
    """No managed policy allows sending to one queue."""
    verdict = check(denied("update_function_configuration_denied"), a_role())
    assert json.loads(remedy(verdict, "policy-statement")) == {
        "Effect": "Allow",
        "Action": ["sqs:SendMessage"],
        "Resource": ["arn:aws:sqs:us-east-1:123456789012:dead-orders"],
    }


def test_the_remedy_of_a_role_that_lambda_cannot_assume_is_its_trust_policy() -> None:
    """The complete, corrected policy."""
    role = replace(a_role(), trust_policy=NO_STATEMENTS)
    verdict = check(denied("create_function_denied_role"), role, exists=False)
    assert "update-assume-role-policy" in remedy(verdict, "aws-cli")
    assert "lambda.amazonaws.com" in remedy(verdict, "aws-cli")


@pytest.mark.parametrize("name", ["create_function_denied_role", "create_function_denied_network"])
def test_a_missing_role_is_created_and_a_missing_function_is_not_updated(name: str) -> None:
    """The call that creates the function sets the role anyway."""
    verdict = check(denied(name), None, exists=False)
    assert verdict.outcome is Outcome.VIOLATION
    command = remedy(verdict, "aws-cli")
    assert command.startswith("aws iam create-role --region us-east-1 --role-name orders-role")
    assert "aws iam attach-role-policy" in command
    assert "update-function-configuration" not in command
    assert not command.endswith(("&&", "\n"))


def test_a_missing_role_is_created_and_set_on_a_function_that_exists() -> None:
    """Until then the function keeps its current role."""
    new = f"{ROLE_ARN}-new"
    call = replace(denied("create_function_denied_role"), api="UpdateFunctionConfiguration", role_arn=new)
    snapshot = Snapshot(
        TARGET, a_function(), versions={FUNCTION_ARN: a_function()}, roles={new: None, ROLE_ARN: a_role()}
    )
    (verdict,) = evaluate(replace(snapshot, denied_calls=(call,)), [RULE]).verdicts
    assert remedy(verdict, "aws-cli").splitlines()[-1].startswith("aws lambda update-function-configuration")


def test_a_denied_call_has_no_grace_period() -> None:
    """The user who deploys sees AWS's error now."""
    assert not RULE.grace_period
    assert RULE.of_denied_calls


VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["arn:", "arn:aws:sqs", "kafka://", "*", "a:b:c"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "uRI", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
ARNS = st.builds(
    "arn:aws:{}:us-east-1:123456789012:{}".format,
    st.sampled_from(["sqs", "sns", "kinesis", "dynamodb", "kafka", "mq", "rds", "secretsmanager", "s3", "", "new"]),
    st.text(alphabet="ab:/*?-{}$", min_size=1, max_size=12),
)
SOURCES = VALUES | ARNS
ACCESS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["BASIC_AUTH", "SASL_SCRAM_512_AUTH", "VPC_SUBNET"]), "uRI": SOURCES}
    ),
    max_size=2,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "eventSourceArn": SOURCES,
        "topics": VALUES | st.lists(st.text(max_size=5), max_size=1),
        "queues": VALUES,
        "sourceAccessConfigurations": VALUES | ACCESS,
        "selfManagedEventSource": VALUES
        | st.just({"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b-1.example.com:9092"]}}),
        "destinationConfig": VALUES
        | st.fixed_dictionaries(
            {},
            optional={event: st.fixed_dictionaries({"destination": SOURCES}) for event in ("onFailure", "onSuccess")},
        ),
        "amazonManagedKafkaEventSourceConfig": VALUES
        | st.fixed_dictionaries({"schemaRegistryConfig": st.fixed_dictionaries({"accessConfigs": ACCESS})}),
        "deadLetterConfig": VALUES | st.fixed_dictionaries({"targetArn": SOURCES}),
        "vpcConfig": VALUES | st.just({"subnetIds": ["subnet-1"]}),
    },
)
WORDS = st.sampled_from(
    [
        "The function execution role does not have permissions to call ReceiveMessage on SQS",
        "The provided execution role does not have permissions to call SendMessage on SQS",
        "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
        "Please ensure the role can perform the 'secretsmanager:GetSecretValue' action on your broker in IAM.",
        "The function's execution role does not have permissions to call Publish on arn:aws:sns:us-east-1:1:t",
        "Please ensure the role can perform what it takes.",
        "The role defined for the function cannot be assumed by Lambda.",
    ]
)
NAMES = st.sampled_from(
    [
        "create_event_source_mapping_denied_queue",
        "create_event_source_mapping_denied_secret",
        "create_function_denied_role",
        "put_function_event_invoke_config_denied",
        "update_function_configuration_denied",
    ]
)


@given(name=NAMES, request=REQUESTS, message=WORDS, exists=st.booleans())
def test_every_event_has_a_verdict(name: str, request: dict[str, Any], message: str, *, exists: bool) -> None:
    """A violation, a pass or an unknown; neither the rule nor storing the denied call crashes."""
    event = sample(name)
    event["detail"]["requestParameters"] |= request
    event["detail"]["errorMessage"] = message
    call = denied_call_of(parse_record(event))
    assert call is not None
    assert json.loads(json.dumps(call.configuration)) == call.configuration
    function = a_function() if exists else None
    versions = {FUNCTION_ARN: function, call.function_arn: function}
    for role in (a_role(), None):
        snapshot = Snapshot(TARGET, function, versions=versions, roles={ROLE_ARN: role}, denied_calls=(call,))
        verdicts = evaluate(snapshot, [RULE]).verdicts
        assert all("crashed" not in verdict.reason for verdict in verdicts)
        assert len(verdicts) == (1 if exists or call.api == "CreateFunction" else 0)
