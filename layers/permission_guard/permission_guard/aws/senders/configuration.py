"""Deploy a configuration document with the credentials of who runs the command."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from permission_guard import __version__
from permission_guard.aws.calls import is_temporary
from permission_guard.aws.clients import client_as
from permission_guard.config.rollout import Rollout, RolloutState
from permission_guard.errors import ConfigurationError, ConflictError, DeliveryError, error_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUTPUTS: Final = {
    "application": "ConfigurationApplicationId",
    "environment": "ConfigurationEnvironmentId",
    "profile": "ConfigurationProfileId",
    "strategy": "ConfigurationStrategyId",
}
_STATES: Final = {
    "VALIDATING": RolloutState.DEPLOYING,
    "DEPLOYING": RolloutState.DEPLOYING,
    "BAKING": RolloutState.WATCHED,
    "COMPLETE": RolloutState.COMPLETE,
    "ROLLING_BACK": RolloutState.ROLLING_BACK,
}
"""The states of a deployment. Whatever else AppConfig reports has ended without the document in place."""
_NO_SUCH_STACK: Final = "ValidationError"
_REFUSED: Final = "BadRequestException"
_IN_PROGRESS: Final = "ConflictException"


class ConfigurationSender:
    """Deploys documents to the stack of one name. ConfigurationError unless it is deployed, and can be read."""

    def __init__(self, stack_name: str, *, profile: str | None = None, region: str | None = None) -> None:
        self._stack = stack_name
        self._appconfig = client_as("appconfig", profile=profile, region=region)
        self.region = str(self._appconfig.meta.region_name)
        self._ids = self._ids_of(client_as("cloudformation", profile=profile, region=region))

    def start(self, document: str) -> int:
        """Start the deployment of a document in JSON; return its number.

        ConfigurationError if it is refused, with the reason of the validator; ConflictError while another deployment is
        in progress; DeliveryError if AWS could not be called.
        """
        profile = {"ApplicationId": self._ids["application"], "ConfigurationProfileId": self._ids["profile"]}
        with _errors("the document could not be stored"):
            version = self._appconfig.create_hosted_configuration_version(
                **profile, Content=document.encode(), ContentType="application/json"
            )["VersionNumber"]
        try:
            with _errors("the document is not deployed"):
                started = self._appconfig.start_deployment(
                    **profile,
                    EnvironmentId=self._ids["environment"],
                    ConfigurationVersion=str(version),
                    DeploymentStrategyId=self._ids["strategy"],
                    Description=f"permission-guard {__version__}",
                )
        except (ConfigurationError, ConflictError):
            with suppress(BotoCoreError, ClientError):  # a version that was never deployed only takes room
                self._appconfig.delete_hosted_configuration_version(**profile, VersionNumber=version)
            raise
        return int(started["DeploymentNumber"])

    def rollout(self, number: int) -> Rollout:
        """Return how far a deployment is. DeliveryError if AWS could not be called: the deployment goes on."""
        with _errors("the deployment could not be read"):
            deployment = self._appconfig.get_deployment(
                ApplicationId=self._ids["application"],
                EnvironmentId=self._ids["environment"],
                DeploymentNumber=number,
            )
        events = deployment.get("EventLog", [])  # the newest first
        rolled_back = [event for event in events if str(event.get("EventType", "")).startswith("ROLLBACK")]
        reason = rolled_back[-1].get("Description", "") if rolled_back else ""
        return Rollout(
            state=_STATES.get(str(deployment["State"]), RolloutState.ROLLED_BACK),
            percent=int(deployment.get("PercentageComplete", 0)),
            minutes=int(deployment.get("FinalBakeTimeInMinutes", 0)),
            reason=str(reason),
        )

    def _ids_of(self, cloudformation: Any) -> dict[str, str]:
        try:
            with _errors(f"the stack {self._stack} could not be read"):
                (stack,) = cloudformation.describe_stacks(StackName=self._stack)["Stacks"]
        except ConfigurationError as error:
            if isinstance(error.__cause__, ClientError) and error_code(error.__cause__) == _NO_SUCH_STACK:
                text = f"there is no stack {self._stack} in {self.region}: deploy it, or name another with --stack-name"
                raise ConfigurationError(f"{text} or --region") from error
            raise
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        if missing := [output for output in _OUTPUTS.values() if output not in outputs]:
            text = (
                f"the stack {self._stack} in {self.region} has no output {missing[0]}: deploy this version of it first"
            )
            raise ConfigurationError(text)
        return {name: outputs[output] for name, output in _OUTPUTS.items()}


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except NoCredentialsError as error:
        text = "there are no AWS credentials: run `aws configure`, or name a profile with --profile"
        raise ConfigurationError(text) from error
    except BotoCoreError as error:
        raise DeliveryError(f"{what}: AWS could not be called: {error}") from error
    except ClientError as error:
        code, message = error_code(error), str(error.response.get("Error", {}).get("Message", ""))
        if code == _IN_PROGRESS:
            text = (
                f"{what}: another deployment is in progress. Wait for its end, or stop it in the console of AppConfig"
            )
            raise ConflictError(text) from error
        if code == _REFUSED:
            raise ConfigurationError(message) from error
        if is_temporary(error):
            raise DeliveryError(f"{what}: {code}: {message}") from error
        raise ConfigurationError(f"{what}: {code}: {message}") from error
