"""User pools and their triggers, the plain ones and those that have a version beside the function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk, is_function
from permission_guard.invokers.cognito_idp import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

    from permission_guard.model.state import Inventory, Trigger

_POOLS = "cognito-idp:ListUserPools"
_POOL = "cognito-idp:DescribeUserPool"


def _read(walk: Walk[CognitoIdentityProviderClient]) -> Inventory:
    pages = walk.client.get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
    found = walk.list_all(_POOLS, (page.get("UserPools", []) for page in pages))
    if isinstance(found, Unread):
        return walk.inventory(found)
    pools = {walk.arn("cognito-idp", f"userpool/{pool['Id']}"): pool["Id"] for pool in found}

    def triggers(arn: str, pool_id: str) -> Iterator[Trigger]:
        pool = walk.client.describe_user_pool(UserPoolId=pool_id).get("UserPool", {})
        for value in pool.get("LambdaConfig", {}).values():
            function_arn = value.get("LambdaArn", "") if isinstance(value, dict) else str(value)
            if is_function(function_arn):
                yield walk.trigger(arn, function_arn, f"the user pool {pool.get('Name', pool_id)}")

    return walk.inventory(pools, walk.read_each(_POOL, pools, triggers))


SERVICE = InvokingService("cognito-idp", INVOKER.principal, (_POOLS, _POOL), _read)
