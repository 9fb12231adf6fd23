"""The services whose inventories are read: one line each."""

from __future__ import annotations

from permission_guard.aws.readers.inventories import (
    apigateway,
    apigatewayv2,
    cloudwatch,
    cognito_idp,
    config,
    elbv2,
    events,
    iot,
    logs,
    s3,
    secretsmanager,
    sns,
)

SERVICES = (
    apigateway.SERVICE,
    apigatewayv2.SERVICE,
    cloudwatch.SERVICE,
    cognito_idp.SERVICE,
    config.SERVICE,
    elbv2.SERVICE,
    events.SERVICE,
    iot.SERVICE,
    logs.SERVICE,
    s3.SERVICE,
    secretsmanager.SERVICE,
    sns.SERVICE,
)

INVENTORY_READS = frozenset(action for service in SERVICES for action in service.actions)
"""The IAM actions that reading all inventories takes."""
