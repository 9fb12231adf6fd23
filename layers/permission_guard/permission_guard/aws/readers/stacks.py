"""Read which CloudFormation stack owns a resource."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from permission_guard.aws.calls import is_denied
from permission_guard.aws.readers.regions import OF_THE_REGION
from permission_guard.errors import error_code
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from mypy_boto3_cloudformation import CloudFormationClient

    from permission_guard.aws.readers.regions import EnabledRegions

_ACTION = "cloudformation:DescribeStackResources"
_MOST_CALLS_AT_A_TIME = 8


class AccountStacks:
    """Reads which stack of any region owns a resource. Roles are global, and CloudFormation knows its own region only.

    `client_in` returns the client of a region, and `pool` a number of threads.
    """

    def __init__(
        self,
        regions: EnabledRegions,
        client_in: Callable[[str], CloudFormationClient],
        pool: Callable[[int], Executor] = ThreadPoolExecutor,
    ) -> None:
        self._regions = regions
        self._client_in = client_in
        self._pool = pool

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the stack that owns a resource, with its region if that is another one; None if no stack does.

        Unread if a region could not be asked, and none of the others has the owner.
        """
        regions = self._regions.read()
        if isinstance(regions, Unread):
            return regions
        own, *others = regions
        found = StackReader(self._client_in(own)).stack_of(physical_id)
        if isinstance(found, str):
            return found
        # boto3 creates clients in one thread only.
        readers = [StackReader(self._client_in(region)) for region in others]
        with self._pool(_MOST_CALLS_AT_A_TIME) as pool:
            owners = list(pool.map(lambda reader: reader.stack_of(physical_id), readers))
        for region, owner in zip(others, owners, strict=True):
            if isinstance(owner, str):
                return f"{owner} in {region}"
        unread = [
            (region, owner)
            for region, owner in zip(regions, (found, *owners), strict=True)
            if isinstance(owner, Unread)
        ]
        return _first_unread(unread)

    def stack_in_own_region(self, physical_id: str) -> str | Unread | None:
        """Return the stack of the first region, which is the own one, that owns a resource; None if none does."""
        regions = self._regions.read()
        return (
            regions if isinstance(regions, Unread) else StackReader(self._client_in(regions[0])).stack_of(physical_id)
        )


class StackReader:
    """Reads from CloudFormation which stack of one region owns a resource."""

    def __init__(self, client: CloudFormationClient) -> None:
        self._cloudformation = client

    def stack_of(self, physical_id: str) -> str | Unread | None:
        """Return the stack that owns a resource, None if no stack of the region does.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
        """
        try:
            reply = self._cloudformation.describe_stack_resources(PhysicalResourceId=physical_id)
        except ClientError as error:
            message = error.response.get("Error", {}).get("Message", "")
            # CloudFormation uses one error code for every invalid request. Only the message distinguishes them.
            if error_code(error) == "ValidationError" and "does not exist" in message:
                return None
            is_permanent = is_denied(error) or error_code(error) in OF_THE_REGION
            return Unread(_ACTION, error_code(error), message, denied=is_permanent)
        except BotoCoreError as error:
            return Unread(_ACTION, type(error).__name__, str(error), denied=False)
        return next((resource["StackName"] for resource in reply["StackResources"] if "StackName" in resource), None)


def _first_unread(unread: list[tuple[str, Unread]]) -> Unread | None:
    """Return why a region could not be asked, None if all were: a denied call first, because a retry does not help."""
    by_denial = sorted(unread, key=lambda pair: not pair[1].denied)
    return next((replace(one, message=f"{one.message} ({region})") for region, one in by_denial), None)
