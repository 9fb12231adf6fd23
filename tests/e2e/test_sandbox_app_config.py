"""AppConfig in the sandbox: validators are asked as the service, sessions are authorized, alarms roll back."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.client.process import ACCOUNT, REGION, poll

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

VALIDATOR = """\
import base64
def handler(event, context):
    if base64.b64decode(event["content"]) != b"good":
        raise ValueError(f"version {event['configurationVersion']} of {event['uri']} is not good")
"""
SERVICE = "appconfig.amazonaws.com"


class Application:
    """An application with an environment, and a profile with a validator."""

    def __init__(self, sandbox: Sandbox, name: str, validator: str = "", **environment: Any) -> None:
        self.client = sandbox.client("appconfig")
        self.id = self.client.create_application(Name=name)["Id"]
        made = self.client.create_environment(ApplicationId=self.id, Name=name, **environment)
        self.environment = made["Id"]
        profile = {"ApplicationId": self.id, "Name": name, "LocationUri": "hosted"}
        validators = [{"Type": "LAMBDA", "Content": validator}] if validator else []
        self.profile = self.client.create_configuration_profile(**profile, Validators=validators)["Id"]
        self.arn = f"arn:aws:appconfig:{REGION}:{ACCOUNT}:application/{self.id}"

    def store(self, content: bytes) -> int:
        """Store a version and return its number."""
        stored = self.client.create_hosted_configuration_version(
            ApplicationId=self.id, ConfigurationProfileId=self.profile, Content=content, ContentType="text/plain"
        )
        return int(stored["VersionNumber"])

    def deploy(self, content: bytes, strategy: str = "AppConfig.AllAtOnce") -> int:
        """Store and deploy a version; return the deployment's number."""
        started = self.client.start_deployment(
            ApplicationId=self.id,
            EnvironmentId=self.environment,
            ConfigurationProfileId=self.profile,
            ConfigurationVersion=str(self.store(content)),
            DeploymentStrategyId=strategy,
        )
        return int(started["DeploymentNumber"])

    def state(self, number: int) -> str:
        """Return the state of a deployment."""
        deployment = self.client.get_deployment(
            ApplicationId=self.id, EnvironmentId=self.environment, DeploymentNumber=number
        )
        return str(deployment["State"])

    def served(self, data: Any) -> bytes:
        """Return what a client of the data plane reads in a new session."""
        token = data.start_configuration_session(
            ApplicationIdentifier=self.id,
            EnvironmentIdentifier=self.environment,
            ConfigurationProfileIdentifier=self.profile,
        )["InitialConfigurationToken"]
        content: bytes = data.get_latest_configuration(ConfigurationToken=token)["Configuration"].read()
        return content


@pytest.fixture
def validator(make_function: Callable[..., str], unique: str) -> str:
    """Make a validator, which nothing may invoke."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", VALIDATOR)
    return make_function(unique, Code={"ZipFile": package.getvalue()})


def permit(sandbox: Sandbox, function: str, **source: str) -> None:
    """Allow AppConfig to invoke a function."""
    sandbox.client("lambda").add_permission(
        FunctionName=function, StatementId="appconfig", Action="lambda:InvokeFunction", Principal=SERVICE, **source
    )


def refusal(application: Application, content: bytes) -> str:
    """Return why a deployment is refused."""
    with pytest.raises(ClientError) as refused:
        application.deploy(content)
    assert refused.value.response["Error"]["Code"] == "BadRequestException"
    assert refused.value.response["Reason"] == "InvalidConfiguration"  # type: ignore[typeddict-item]
    return str(refused.value.response["Error"]["Message"])


def test_a_version_that_the_validator_refuses_is_not_deployed(sandbox: Sandbox, validator: str, unique: str) -> None:
    """The error has the validator's reason, and the version before stays."""
    application = Application(sandbox, unique, validator)
    permit(sandbox, validator, SourceArn=f"{application.arn}*", SourceAccount=ACCOUNT)
    number = application.deploy(b"good")
    poll(lambda: application.state(number) == "COMPLETE", deadline=30, what="complete deployment")
    assert refusal(application, b"bad") == "version 2 of hosted is not good"
    data = sandbox.client("appconfigdata")
    assert application.served(data) == b"good"
    validate = application.client.validate_configuration
    validate(ApplicationId=application.id, ConfigurationProfileId=application.profile, ConfigurationVersion="1")
    with pytest.raises(ClientError, match="version 2 of hosted is not good"):
        validate(ApplicationId=application.id, ConfigurationProfileId=application.profile, ConfigurationVersion="2")


@pytest.mark.parametrize(
    "source",
    [
        None,
        {"SourceAccount": "999999999999"},
        {"SourceArn": f"arn:aws:appconfig:{REGION}:{ACCOUNT}:application/another*"},
    ],
)
def test_a_validator_needs_a_permission_for_appconfig(
    sandbox: Sandbox, validator: str, unique: str, source: dict[str, str] | None
) -> None:
    """Without one, with that of another account, or of another application nothing is deployed."""
    application = Application(sandbox, unique, validator)
    if source is not None:
        permit(sandbox, validator, **source)
    assert "is not authorized to invoke the validator" in refusal(application, b"good")


def test_reading_needs_both_permissions_on_the_configuration(
    sandbox: Sandbox, make_role: Callable[..., str], assume: Callable[[str, str], Any], unique: str
) -> None:
    """On the one of the session, whose token the second call has."""
    application = Application(sandbox, unique)
    application.deploy(b"good")
    document = f"{application.arn}/environment/{application.environment}/configuration/{application.profile}"
    start, latest = "appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"
    allowed = {"Effect": "Allow", "Action": [start, latest], "Resource": document}
    reader = make_role(f"{unique}-reader", allowed)
    assert application.served(assume(reader, "appconfigdata")) == b"good"
    for name, statement in {
        "one-action": {**allowed, "Action": [start]},
        "another": {**allowed, "Resource": document.replace(application.profile, "another")},
    }.items():
        role = make_role(f"{unique}-{name}", statement)
        with pytest.raises(ClientError) as denied:
            application.served(assume(role, "appconfigdata"))
        assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


def test_an_injected_fault_is_an_outage(sandbox: Sandbox, unique: str) -> None:
    """The calls do not reach AppConfig."""
    application = Application(sandbox, unique)
    application.deploy(b"good")
    data = sandbox.client("appconfigdata")
    sandbox.inject_fault("appconfigdata", "StartConfigurationSession", code="InternalServerException", status=500)
    with pytest.raises(ClientError) as failed:
        application.served(data)
    assert failed.value.response["Error"]["Code"] == "InternalServerException"
    assert application.served(data) == b"good"


def test_an_alarm_rolls_a_deployment_back(sandbox: Sandbox, unique: str) -> None:
    """What was deployed before is served again."""
    cloudwatch = sandbox.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=unique,
        Namespace="probe",
        MetricName="probe",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )
    alarm = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{unique}"
    application = Application(sandbox, unique, Monitors=[{"AlarmArn": alarm}])
    strategy = application.client.create_deployment_strategy(
        Name=unique, DeploymentDurationInMinutes=0, GrowthFactor=100, FinalBakeTimeInMinutes=0, ReplicateTo="NONE"
    )["Id"]
    application.deploy(b"good", strategy)
    number = application.deploy(b"bad")
    assert application.state(number) == "BAKING"
    cloudwatch.set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason=json.dumps("probe"))
    poll(lambda: application.state(number) == "ROLLED_BACK", deadline=5, what="rollback")
    assert application.served(sandbox.client("appconfigdata")) == b"good"
