"""AWS Secrets Manager: rotation. One function can rotate many secrets, so AWS documents the account alone.

In a secret's ARN, six random characters follow the name.
"""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "secretsmanager.amazonaws.com",
    "secret",
    "arn:{partition}:secretsmanager:{region}:{account}:secret:SECRET-NAME",
    "https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_turn-on-cli.html",
    names={"SECRET-NAME": r"[A-Za-z0-9/_+=.@\-]{1,512}-[A-Za-z0-9]{6}"},
    sends_source_arn=Sent.UNKNOWN,
    account_suffices=True,
)
