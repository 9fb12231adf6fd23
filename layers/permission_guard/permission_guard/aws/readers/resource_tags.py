"""The tags of resources, whatever their service.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.calls import read
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACTION = "tag:GetResources"
SERVICE = "resourcegroupstaggingapi"


def tags_of(client: Callable[[], Any], arn: str) -> Mapping[str, str] | Unread | None:
    """Read the tags of a resource of the account and region.

    None if AWS lists none. It may never have had a tag, not exist, or be new: AWS lists changes late.
    """
    reply = read(ACTION, lambda: client().get_resources(ResourceARNList=[arn]))
    if isinstance(reply, Unread) or reply is None:
        return reply
    found = (each for each in reply["ResourceTagMappingList"] if each["ResourceARN"] == arn)
    return next(({tag["Key"]: tag["Value"] for tag in each["Tags"]} for each in found), None)
