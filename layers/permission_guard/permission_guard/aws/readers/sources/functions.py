"""Functions that are sent to: their policy, and that of each of their versions and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.sources.base import SourceRead, SourceReading, SourceService

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def policy(client: LambdaClient, arn: str) -> SourceReading:
    """Read the policy of a function, or of the version or the alias that the ARN ends in."""
    return SourceReading(policy=client.get_policy(FunctionName=arn)["Policy"])


def _function(arn: str) -> str:
    """Return the function's own ARN where any of its versions may be meant."""
    return arn.removesuffix(":*")


FUNCTIONS = SourceService("lambda", "lambda", policy=SourceRead("lambda:GetPolicy", policy, about=_function))
