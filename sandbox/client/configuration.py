"""Deploy the configuration document of a stack in the sandbox, without the minutes that a deployment is watched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.client.process import Sandbox

_STRATEGY = "at-once"


def deploy(aws: Sandbox, stack_name: str, parameters: Mapping[str, str], document: Mapping[str, Any]) -> dict[str, str]:
    """Deploy a built stack and its document, and return the stack's outputs.

    No event is delivered before the document is in place: functions keep what they have read for a while.
    """
    aws.deliver(hold=True)
    try:
        outputs = aws.deploy(stack_name, parameters)
        push(aws, outputs, document)
    finally:
        aws.deliver(hold=False)
    return outputs


def push(aws: Sandbox, outputs: Mapping[str, str], document: Mapping[str, Any] | str) -> None:
    """Deploy a document at once. botocore's ClientError if it is refused.

    Warm functions read it within a minute. `Sandbox.end_environments` lets them read it at once.
    """
    client = aws.client("appconfig")
    application, profile = outputs["ConfigurationApplicationId"], outputs["ConfigurationProfileId"]
    content = document if isinstance(document, str) else json.dumps(document)
    version = client.create_hosted_configuration_version(
        ApplicationId=application,
        ConfigurationProfileId=profile,
        Content=content.encode(),
        ContentType="application/json",
    )["VersionNumber"]
    client.start_deployment(
        ApplicationId=application,
        EnvironmentId=outputs["ConfigurationEnvironmentId"],
        ConfigurationProfileId=profile,
        ConfigurationVersion=str(version),
        DeploymentStrategyId=_strategy(client),
    )


def _strategy(client: Any) -> str:
    """Return a strategy that neither waits nor watches, which is made once."""
    known = {one["Name"]: one["Id"] for one in client.list_deployment_strategies()["Items"]}
    if _STRATEGY not in known:
        made = client.create_deployment_strategy(
            Name=_STRATEGY,
            DeploymentDurationInMinutes=0,
            GrowthFactor=100,
            FinalBakeTimeInMinutes=0,
            ReplicateTo="NONE",
        )
        return str(made["Id"])
    return str(known[_STRATEGY])
