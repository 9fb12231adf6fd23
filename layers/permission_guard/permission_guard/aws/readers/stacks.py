"""Read which CloudFormation stack owns a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.aws.calls import is_denied
from permission_guard.errors import error_code
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_ACTION = "cloudformation:DescribeStackResources"


class StackReader:
    """Reads from CloudFormation which stack owns a resource."""

    def __init__(self, client: CloudFormationClient) -> None:
        self._cloudformation = client

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the stack of this region that owns a resource, None if no stack does.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
        """
        try:
            reply = self._cloudformation.describe_stack_resources(PhysicalResourceId=physical_id)
        except ClientError as error:
            message = error.response.get("Error", {}).get("Message", "")
            # CloudFormation uses one error code for every invalid request. Only the message distinguishes them.
            if error_code(error) == "ValidationError" and "does not exist" in message:
                return None
            return Unread(_ACTION, error_code(error), message, denied=is_denied(error))
        except BotoCoreError as error:
            return Unread(_ACTION, type(error).__name__, str(error), denied=False)
        return next((resource["StackName"] for resource in reply["StackResources"] if "StackName" in resource), None)
