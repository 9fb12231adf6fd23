"""AWS Secrets Manager: rotation. One function can rotate many secrets, so AWS documents the account alone."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "secretsmanager.amazonaws.com",
    "secret",
    "arn:{partition}:secretsmanager:{region}:{account}:secret:SECRET-NAME",
    "https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_turn-on-cli.html",
    sends_source_arn=Sent.UNKNOWN,
    account_suffices=True,
)
