"""Secrets, and the functions that rotate them. One that waits to be deleted still exists, and is not rotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.readers.inventories.base import InvokingService, Walk
from permission_guard.invokers.secretsmanager import INVOKER
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from permission_guard.model.state import Inventory

_SECRETS = "secretsmanager:ListSecrets"


def _read(walk: Walk[SecretsManagerClient]) -> Inventory:
    listing = walk.client.get_paginator("list_secrets").paginate(
        IncludePlannedDeletion=True, PaginationConfig={"PageSize": 100}
    )
    secrets = walk.list_all(_SECRETS, (page.get("SecretList", []) for page in listing))
    if isinstance(secrets, Unread):
        return walk.inventory(secrets)
    triggers = (
        walk.trigger(secret["ARN"], secret["RotationLambdaARN"], f"the secret {secret['Name']}")
        for secret in secrets
        if secret.get("RotationEnabled") and secret.get("RotationLambdaARN") and "DeletedDate" not in secret
    )
    return walk.inventory((secret["ARN"] for secret in secrets), triggers)


SERVICE = InvokingService("secretsmanager", INVOKER.principal, (_SECRETS,), _read)
