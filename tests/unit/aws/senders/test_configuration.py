"""A document is stored and deployed to the stack of a name, and every failure says what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from permission_guard.aws.senders import configuration
from permission_guard.aws.senders.configuration import ConfigurationSender
from permission_guard.config.rollout import Rollout, RolloutState
from permission_guard.errors import ConfigurationError, ConflictError, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUTS = {
    "ConfigurationApplicationId": "abc1234",
    "ConfigurationEnvironmentId": "ghi9012",
    "ConfigurationProfileId": "def5678",
    "ConfigurationStrategyId": "jkl3456",
    "AlertTopicArn": "arn:topic",
}
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/permission-guard/51af3dc0"
UNREACHABLE = EndpointConnectionError(endpoint_url="https://appconfig.us-east-1.amazonaws.com/")


def error(code: str, message: str = "as AWS says") -> ClientError:
    """Return an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class Aws:
    """Stands for the clients of CloudFormation and AppConfig."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="eu-west-1")
        self.outputs: Mapping[str, str] = OUTPUTS
        self.failures: dict[str, Exception] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.deployment: dict[str, Any] = {"State": "DEPLOYING", "PercentageComplete": 0.0}

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            self.calls.append((operation, params))
            if operation in self.failures:
                raise self.failures[operation]
            outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
            return {
                "describe_stacks": {"Stacks": [{"StackId": STACK, "Outputs": outputs}]},
                "create_hosted_configuration_version": {"VersionNumber": 7},
                "start_deployment": {"DeploymentNumber": 3},
                "get_deployment": self.deployment,
            }.get(operation)

        return call

    @property
    def operations(self) -> list[str]:
        """The names of all calls."""
        return [operation for operation, _ in self.calls]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Return the account."""
    account = Aws()
    monkeypatch.setattr(configuration, "client_as", lambda _service, profile, region: account)
    return account


def test_a_document_is_deployed_with_the_strategy_of_the_stack(aws: Aws) -> None:
    """Its outputs have the ids."""
    sender = ConfigurationSender("permission-guard", profile="jane")
    assert sender.region == "eu-west-1"
    assert sender.start("{}") == 3
    stored, started = aws.calls[1:]
    assert stored[1] == {
        "ApplicationId": "abc1234",
        "ConfigurationProfileId": "def5678",
        "Content": b"{}",
        "ContentType": "application/json",
    }
    assert (
        started[1].items()
        >= {
            "ApplicationId": "abc1234",
            "EnvironmentId": "ghi9012",
            "ConfigurationProfileId": "def5678",
            "ConfigurationVersion": "7",
            "DeploymentStrategyId": "jkl3456",
        }.items()
    )


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            error("ValidationError", "Stack with id lost does not exist"),
            "there is no stack lost in eu-west-1: name it with --stack-name, and its region with --region",
        ),
        (
            error("ValidationError", "1 validation error detected"),
            "cloudformation:DescribeStacks on the stack lost failed: ValidationError: 1 validation error detected",
        ),
        (
            error("AccessDenied", "not authorized"),
            "AWS denied cloudformation:DescribeStacks on the stack lost: allow it to whoever runs this. not authorized",
        ),
        (
            error("ExpiredToken"),
            "the AWS credentials have expired: get new ones, for example with `aws sso login`",
        ),
        (
            NoCredentialsError(),
            "there are no AWS credentials: run `aws configure` or `aws sso login`, or name a profile with --profile",
        ),
    ],
)
def test_a_stack_that_cannot_be_found_says_what_to_do(aws: Aws, failure: Exception, message: str) -> None:
    """Nothing is stored then."""
    aws.failures["describe_stacks"] = failure
    with pytest.raises(ConfigurationError) as raised:
        ConfigurationSender("lost")
    assert str(raised.value) == message


def test_a_stack_of_an_older_version_has_to_be_deployed_first(aws: Aws) -> None:
    """It has no outputs of AppConfig."""
    aws.outputs = {"AlertTopicArn": "arn:topic"}
    with pytest.raises(ConfigurationError, match="no output ConfigurationApplicationId: it is of an older version"):
        ConfigurationSender("permission-guard")


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (error("BadRequestException", "tickets: no ticket system is deployed."), ConfigurationError, "^tickets: no"),
        (error("ConflictException"), ConflictError, "another deployment is in progress. Wait for its end"),
        (error("AccessDeniedException"), ConfigurationError, "^AWS denied appconfig:StartDeployment on the con"),
        (error("ExpiredTokenException"), ConfigurationError, "^the AWS credentials have expired: get new ones"),
    ],
)
def test_a_refused_document_leaves_nothing_behind(
    aws: Aws, failure: Exception, kind: type[Exception], message: str
) -> None:
    """The stored version is deleted; that this may fail changes nothing."""
    aws.failures = {"start_deployment": failure, "delete_hosted_configuration_version": error("AccessDeniedException")}
    with pytest.raises(kind, match=message):
        ConfigurationSender("permission-guard").start("{}")
    assert aws.calls[-1] == (
        "delete_hosted_configuration_version",
        {"ApplicationId": "abc1234", "ConfigurationProfileId": "def5678", "VersionNumber": 7},
    )


def test_what_may_be_deployed_is_kept(aws: Aws) -> None:
    """The reply of the call may be lost only."""
    aws.failures["start_deployment"] = UNREACHABLE
    with pytest.raises(DeliveryError, match="AWS could not be called"):
        ConfigurationSender("permission-guard").start("{}")
    assert "delete_hosted_configuration_version" not in aws.operations


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("VALIDATING", RolloutState.DEPLOYING),
        ("DEPLOYING", RolloutState.DEPLOYING),
        ("BAKING", RolloutState.WATCHED),
        ("COMPLETE", RolloutState.COMPLETE),
        ("ROLLING_BACK", RolloutState.ROLLING_BACK),
        ("ROLLED_BACK", RolloutState.ROLLED_BACK),
        ("REVERTED", RolloutState.ROLLED_BACK),
        ("A_NEW_ONE", RolloutState.ROLLED_BACK),
    ],
)
def test_a_state_that_is_not_known_is_no_success(aws: Aws, state: str, expected: RolloutState) -> None:
    """A deployment is in place only if AppConfig says so."""
    aws.deployment = {"State": state, "PercentageComplete": 100.0, "FinalBakeTimeInMinutes": 5}
    rollout = ConfigurationSender("permission-guard").rollout(3)
    assert rollout == Rollout(state=expected, percent=100, minutes=5)
    assert expected.has_ended is (expected in {RolloutState.COMPLETE, RolloutState.ROLLED_BACK})


@pytest.mark.parametrize("failure", [UNREACHABLE, error("ThrottlingException")], ids=["unreachable", "throttled"])
def test_a_deployment_that_cannot_be_read_for_now_can_be_read_later(aws: Aws, failure: Exception) -> None:
    """Who follows it tries again."""
    aws.failures["get_deployment"] = failure
    with pytest.raises(DeliveryError, match=r"appconfig:GetDeployment.* see it in the console of AppConfig"):
        ConfigurationSender("permission-guard").rollout(3)


def test_a_rollback_says_what_started_it(aws: Aws) -> None:
    """The events come with the newest first."""
    aws.deployment = {
        "State": "ROLLED_BACK",
        "EventLog": [
            {"EventType": "ROLLBACK_COMPLETED", "Description": "Rollback completed"},
            {"EventType": "ROLLBACK_STARTED", "Description": "Rollback initiated by arn:alarm"},
            {"EventType": "DEPLOYMENT_STARTED", "Description": "Deployment started"},
        ],
    }
    assert ConfigurationSender("permission-guard").rollout(3).reason == "Rollback initiated by arn:alarm"
