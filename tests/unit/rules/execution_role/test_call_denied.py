"""PG213 beyond its cases: what there is to paste, and that nothing which an event can hold breaks it."""

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
NOBODY = parse_policy({"Version": "2012-10-17", "Statement": []})


def sample(name: str) -> Any:
    """Load a sample event, afresh."""
    return json.loads((CORPUS / f"{name}.json").read_text())


def refused(name: str) -> DeniedCall:
    """Read the refusal of a sample event."""
    refusal = denied_call_of(parse_record(sample(name)))
    assert refusal is not None
    return refusal


def say(refusal: DeniedCall, role: Role | None, *, exists: bool = True) -> Verdict:
    """Return the one verdict on a refusal, of a function that exists or not."""
    function = a_function() if exists else None
    versions = {FUNCTION_ARN: function, refusal.function_arn: function}
    snapshot = Snapshot(TARGET, function, versions=versions, roles={ROLE_ARN: role}, denied_calls=(refusal,))
    (verdict,) = evaluate(snapshot, [RULE]).verdicts
    return verdict


def remedy(verdict: Verdict, kind: str) -> str:
    """Return a cure's text."""
    return next(remedy.text for remedy in verdict.remedies if remedy.kind == kind)


def test_the_cure_of_a_mapping_is_the_managed_policy_of_its_source() -> None:
    """It carries what AWS would name next as well."""
    verdict = say(refused("create_event_source_mapping_refused_queue"), a_role())
    assert remedy(verdict, "aws-cli").endswith(":policy/service-role/AWSLambdaSQSQueueExecutionRole")
    assert "sqs:DeleteMessage" in remedy(verdict, "policy-statement")


def test_the_cure_of_a_function_in_a_vpc_is_the_managed_policy_for_that() -> None:
    """Though there is no such function yet."""
    verdict = say(refused("create_function_refused_network"), a_role(), exists=False)
    assert remedy(verdict, "aws-cli").endswith(":policy/service-role/AWSLambdaVPCAccessExecutionRole")


def test_the_cure_of_a_dead_letter_queue_is_a_statement_for_that_queue() -> None:
    """No managed policy is for sending to one queue."""
    verdict = say(refused("update_function_configuration_refused"), a_role())
    assert json.loads(remedy(verdict, "policy-statement")) == {
        "Effect": "Allow",
        "Action": ["sqs:SendMessage"],
        "Resource": ["arn:aws:sqs:us-east-1:123456789012:dead-orders"],
    }


def test_the_cure_of_a_role_that_lambda_cannot_assume_is_its_trust_policy() -> None:
    """The whole of it, as it should be."""
    role = replace(a_role(), trust_policy=NOBODY)
    verdict = say(refused("create_function_refused_role"), role, exists=False)
    assert "update-assume-role-policy" in remedy(verdict, "aws-cli")
    assert "lambda.amazonaws.com" in remedy(verdict, "aws-cli")


@pytest.mark.parametrize("name", ["create_function_refused_role", "create_function_refused_network"])
def test_a_role_that_does_not_exist_is_made_and_no_function_updated_that_does_not_exist(name: str) -> None:
    """Who creates the function names the role anyway."""
    verdict = say(refused(name), None, exists=False)
    assert verdict.outcome is Outcome.VIOLATION
    command = remedy(verdict, "aws-cli")
    assert command.startswith("aws iam create-role --role-name orders-role")
    assert "aws iam attach-role-policy" in command
    assert "update-function-configuration" not in command
    assert not command.endswith(("&&", "\n"))


def test_a_role_that_does_not_exist_is_taken_up_again_by_a_function_that_does() -> None:
    """It goes on with the one that it has until then."""
    new = f"{ROLE_ARN}-new"
    refusal = replace(refused("create_function_refused_role"), api="UpdateFunctionConfiguration", role_arn=new)
    snapshot = Snapshot(
        TARGET, a_function(), versions={FUNCTION_ARN: a_function()}, roles={new: None, ROLE_ARN: a_role()}
    )
    (verdict,) = evaluate(replace(snapshot, denied_calls=(refusal,)), [RULE]).verdicts
    assert remedy(verdict, "aws-cli").splitlines()[-1].startswith("aws lambda update-function-configuration")


def test_nobody_waits_for_a_second_look() -> None:
    """Whoever deploys reads AWS's words right now."""
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
        "create_event_source_mapping_refused_queue",
        "create_event_source_mapping_refused_secret",
        "create_function_refused_role",
        "put_function_event_invoke_config_refused",
        "update_function_configuration_refused",
    ]
)


@given(name=NAMES, request=REQUESTS, message=WORDS, exists=st.booleans())
def test_whatever_an_event_asks_for_there_is_an_answer(
    name: str, request: dict[str, Any], message: str, *, exists: bool
) -> None:
    """A violation, a pass or an honest unknown; the rule never breaks, nor does storing what was refused."""
    event = sample(name)
    event["detail"]["requestParameters"] |= request
    event["detail"]["errorMessage"] = message
    refusal = denied_call_of(parse_record(event))
    assert refusal is not None
    assert json.loads(json.dumps(refusal.configuration)) == refusal.configuration
    function = a_function() if exists else None
    versions = {FUNCTION_ARN: function, refusal.function_arn: function}
    for role in (a_role(), None):
        snapshot = Snapshot(TARGET, function, versions=versions, roles={ROLE_ARN: role}, denied_calls=(refusal,))
        verdicts = evaluate(snapshot, [RULE]).verdicts
        assert all("crashed" not in verdict.reason for verdict in verdicts)
        assert len(verdicts) == (1 if exists or refusal.api == "CreateFunction" else 0)
