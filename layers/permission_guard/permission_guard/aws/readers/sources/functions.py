"""Functions that are destinations: their policy, and that of each of their versions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def policy(client: LambdaClient, arn: str) -> SourceReading:
    """Read the policy of a function, or of the version or alias that the ARN names."""
    return SourceReading(policy=client.get_policy(FunctionName=arn)["Policy"])


def _function(arn: str) -> str:
    """Return the ARN of the function itself for a pattern of all its versions."""
    return arn.removesuffix(":*")


FUNCTIONS = SourceService("lambda", "lambda", policy=SourceRead("lambda:GetPolicy", policy, resource_of=_function))
