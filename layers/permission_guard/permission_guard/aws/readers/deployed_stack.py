"""Read where the stack is deployed, and the names and ARNs that it outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from permission_guard.aws.plain_errors import plain_errors
from permission_guard.errors import ConfigurationError, error_code
from permission_guard.iam.arn import require_arn
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

    from permission_guard.iam.arn import Arn


@record
class DeployedStack:
    """A deployed stack: its ARN, and its outputs and parameters by their names."""

    name: str
    arn: Arn
    outputs: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def output(self, name: str) -> str:
        """Return an output. ConfigurationError if the stack has none of that name."""
        if name not in self.outputs:
            raise ConfigurationError(
                f"the stack {self.name} has no output {name}: it is of an older version, or not Permission Guard's. "
                "Deploy this version, or name the stack with --stack-name"
            )
        return self.outputs[name]


def deployed_stack(client: CloudFormationClient, name: str) -> DeployedStack:
    """Return a deployed stack by its name. ConfigurationError if there is none, or it cannot be read."""
    region = client.meta.region_name
    with plain_errors("cloudformation:DescribeStacks", f"the stack {name}"):
        try:
            (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            # CloudFormation uses one error code for every invalid request. Only the message distinguishes them.
            message = error.response.get("Error", {}).get("Message", "")
            if error_code(error) == "ValidationError" and "does not exist" in message:
                raise ConfigurationError(
                    f"there is no stack {name} in {region}: name it with --stack-name, and its region with --region"
                ) from error
            raise
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
    parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", ())}
    return DeployedStack(name, require_arn(stack["StackId"]), outputs, parameters)
