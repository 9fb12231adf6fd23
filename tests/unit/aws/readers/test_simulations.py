"""The simulator's decisions about a role, and one event source mapping, as AWS's replies have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.readers.event_source_mappings import LiveMappings
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.simulations import PolicySimulator
from permission_guard.fixes.simulation import SimulatedDecision
from permission_guard.model.state import DisabledBy, EventSourceMapping, Unread
from tests.fakes import FUNCTION_ARN, MAPPING_UUID, QUEUE_ARN, ROLE_ARN

if TYPE_CHECKING:
    from permission_guard.fixes.simulation import Requests
    from tests.unit.aws.conftest import Answers

RECEIVE, DELETE = "sqs:ReceiveMessage", "sqs:DeleteMessage"
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1"


def result(action: str, decision: str = "allowed", **more: Any) -> dict[str, Any]:
    """Return an evaluation result of AWS."""
    return {"EvalActionName": action, "EvalDecision": decision, "EvalResourceName": QUEUE_ARN, **more}


def decisions(answers: Answers, *requests: tuple[str, str]) -> Any:
    """Ask the simulator."""
    found: Requests = requests
    reader = OrganizationReader(lambda: answers.client, lambda: answers.client)
    return PolicySimulator(reader).decisions(ROLE_ARN, found, "us-east-1")


def test_each_resource_is_one_call_with_all_of_its_actions(iam_answers: Answers) -> None:
    """With the context keys that every call of Lambda has."""
    asked: list[Any] = []
    iam_answers.client.meta.events.register(
        "provide-client-params.iam.SimulatePrincipalPolicy", lambda params, **_: asked.append(params)
    )
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result(RECEIVE), result(DELETE)]})
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": [result("kms:Decrypt")]})
    found = decisions(iam_answers, (RECEIVE, QUEUE_ARN), ("kms:Decrypt", KEY_ARN), (DELETE, QUEUE_ARN))
    assert found == (
        SimulatedDecision(action=RECEIVE, resource=QUEUE_ARN, is_allowed=True),
        SimulatedDecision(action=DELETE, resource=QUEUE_ARN, is_allowed=True),
        SimulatedDecision(action="kms:Decrypt", resource=KEY_ARN, is_allowed=True),
    )
    assert [(one["PolicySourceArn"], one["ActionNames"], one["ResourceArns"]) for one in asked] == [
        (ROLE_ARN, [RECEIVE, DELETE], [QUEUE_ARN]),
        (ROLE_ARN, ["kms:Decrypt"], [KEY_ARN]),
    ]
    names = {entry["ContextKeyName"] for one in asked for entry in one["ContextEntries"]}
    assert names == {"aws:RequestedRegion", "aws:SecureTransport", "aws:ViaAWSService"}


def test_a_denial_names_statements_the_boundary_and_the_organization(iam_answers: Answers) -> None:
    """An implicit denial has no statement; one of an Allow statement is no reason."""
    matched = [{"SourcePolicyId": "deny-queues"}, {"SourcePolicyId": "deny-queues"}]
    results = [
        result(RECEIVE, "explicitDeny", MatchedStatements=matched),
        result(
            DELETE,
            "implicitDeny",
            MatchedStatements=[{"SourcePolicyId": "allow-queues"}],
            PermissionsBoundaryDecisionDetail={"AllowedByPermissionsBoundary": False},
            OrganizationsDecisionDetail={"AllowedByOrganizations": False},
        ),
        result("sqs:GetQueueAttributes", "implicitDeny"),
    ]
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": results})
    found = decisions(iam_answers, (RECEIVE, QUEUE_ARN), (DELETE, QUEUE_ARN), ("sqs:GetQueueAttributes", QUEUE_ARN))
    assert [one.denied_by for one in found] == [
        ("a statement of deny-queues denies it",),
        ("the organization's policies do not allow it", "the permissions boundary does not allow it"),
        (),
    ]
    assert all(one.is_denied for one in found)


def test_missing_context_keys_are_read_of_the_result_and_of_its_resource(iam_answers: Answers) -> None:
    """Such a decision is of no real call."""
    specific = [
        {
            "EvalResourceName": QUEUE_ARN,
            "EvalResourceDecision": "implicitDeny",
            "MissingContextValues": ["aws:SourceVpc"],
        }
    ]
    results = [
        result(RECEIVE, "implicitDeny", ResourceSpecificResults=specific),
        result(DELETE, MissingContextValues=["aws:SourceIp"]),
    ]
    iam_answers.say("simulate_principal_policy", {"EvaluationResults": results})
    found = decisions(iam_answers, (RECEIVE, QUEUE_ARN), (DELETE, QUEUE_ARN))
    assert [one.missing_keys for one in found] == [("aws:SourceVpc",), ("aws:SourceIp",)]
    assert not any(one.is_denied for one in found)


def test_a_denied_call_is_unread(iam_answers: Answers) -> None:
    """The simulator is not asked about the other resources."""
    iam_answers.fail("simulate_principal_policy", "AccessDenied")
    found = decisions(iam_answers, (RECEIVE, QUEUE_ARN), ("kms:Decrypt", KEY_ARN))
    assert isinstance(found, Unread)
    assert found.denied


def test_the_simulation_of_a_deleted_role_has_no_answers(iam_answers: Answers) -> None:
    """What has no answer is unknown."""
    iam_answers.fail("simulate_principal_policy", "NoSuchEntity")
    assert decisions(iam_answers, (RECEIVE, QUEUE_ARN)) == ()


def test_one_mapping_is_read_as_the_list_has_it(lambda_answers: Answers) -> None:
    """With its state, and AWS's reasons."""
    reply = {
        "UUID": MAPPING_UUID,
        "FunctionArn": FUNCTION_ARN,
        "State": "Disabled",
        "StateTransitionReason": "EVENT_SOURCE_AUTHZ_ERROR",
    }
    lambda_answers.say("get_event_source_mapping", reply, UUID=MAPPING_UUID)
    mapping = LiveMappings(lambda_answers.client).mapping(MAPPING_UUID)
    assert isinstance(mapping, EventSourceMapping)
    assert (mapping.function_arn, mapping.disabled_by) == (FUNCTION_ARN, DisabledBy.AWS)


def test_a_mapping_that_does_not_exist_or_cannot_be_read(lambda_answers: Answers) -> None:
    """The two are told apart."""
    lambda_answers.fail("get_event_source_mapping", "ResourceNotFoundException")
    lambda_answers.fail("get_event_source_mapping", "AccessDeniedException")
    reader = LiveMappings(lambda_answers.client)
    assert reader.mapping(MAPPING_UUID) is None
    unread = reader.mapping(MAPPING_UUID)
    assert isinstance(unread, Unread)
    assert (unread.action, unread.denied) == ("lambda:GetEventSourceMapping", True)
