"""Read the resource-based policy of a function, version or alias with its revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.fixes.invoke_policies import InvokePolicy
from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import GetPolicyResponseTypeDef

_ACTION = "lambda:GetPolicy"


class InvokePolicyReader:
    """Reads policies without a cache."""

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def policy(self, resource_arn: str) -> InvokePolicy | Unread:
        """Read a policy. Where there is none, it has no revision and no statements.

        https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
        """
        target, qualifier = parse_function_arn(resource_arn)

        def call() -> GetPolicyResponseTypeDef:
            if qualifier is None:
                return self._lambda.get_policy(FunctionName=target.arn)
            return self._lambda.get_policy(FunctionName=target.arn, Qualifier=qualifier)

        reply = read(_ACTION, call)
        if isinstance(reply, Unread):
            return reply
        if reply is None:
            return InvokePolicy(resource_arn, "", (), {})
        document = parse_policy(reply["Policy"], name="resource-based policy").document
        if not isinstance(document, dict):
            return Unread(_ACTION, "Malformed", "the policy is not a JSON object", denied=True)
        return InvokePolicy.of(resource_arn, document, reply["RevisionId"])
