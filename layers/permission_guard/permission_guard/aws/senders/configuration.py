"""Deploy a configuration document with the credentials of who runs the command."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from permission_guard import __version__
from permission_guard.aws.calls import is_temporary
from permission_guard.aws.clients import client_as
from permission_guard.aws.plain_errors import plain_errors
from permission_guard.aws.readers.deployed_stack import deployed_stack
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
_REFUSED: Final = "BadRequestException"
_IN_PROGRESS: Final = "ConflictException"
_AGAIN: Final = "run the command again"


class ConfigurationSender:
    """Deploys documents to the stack of one name. ConfigurationError unless it is deployed, and can be read."""

    def __init__(self, stack_name: str, *, profile: str | None = None, region: str | None = None) -> None:
        stack = deployed_stack(client_as("cloudformation", profile=profile, region=region), stack_name)
        self._ids = {name: stack.output(output) for name, output in _OUTPUTS.items()}
        self._what = f"the configuration of the stack {stack_name}"
        self.region = stack.arn.region
        self.fix_mode = stack.parameters.get("FixMode", "")
        self._appconfig = client_as("appconfig", profile=profile, region=self.region)

    def start(self, document: str) -> int:
        """Start the deployment of a document in JSON; return its number.

        ConfigurationError if it is refused, with the reason of the validator; ConflictError while another deployment is
        in progress; DeliveryError if AWS could not be called.
        """
        profile = {"ApplicationId": self._ids["application"], "ConfigurationProfileId": self._ids["profile"]}
        with self._errors("appconfig:CreateHostedConfigurationVersion", _AGAIN):
            version = self._appconfig.create_hosted_configuration_version(
                **profile, Content=document.encode(), ContentType="application/json"
            )["VersionNumber"]
        try:
            with self._errors("appconfig:StartDeployment", _AGAIN):
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
        with self._errors("appconfig:GetDeployment", "see it in the console of AppConfig"):
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

    @contextmanager
    def _errors(self, action: str, then: str) -> Iterator[None]:
        """Raise errors of AppConfig in plain words. `then` says what to do if it cannot be called now."""
        with plain_errors(action, self._what):
            try:
                yield
            except (NoCredentialsError, PartialCredentialsError):
                raise
            except BotoCoreError as error:
                # Not a ConfigurationError: only the reply may be lost.
                raise DeliveryError(f"AWS could not be called for {action} on {self._what}: {error}. {then}") from error
            except ClientError as error:
                code = error_code(error)
                if code == _IN_PROGRESS:
                    text = "another deployment is in progress. Wait for its end, or stop it in the console of AppConfig"
                    raise ConflictError(text) from error
                if code == _REFUSED:
                    raise ConfigurationError(str(error.response.get("Error", {}).get("Message", ""))) from error
                if is_temporary(error):
                    text = f"AWS could not answer {action} on {self._what} now ({code}): {then}"
                    raise DeliveryError(text) from error
                raise
