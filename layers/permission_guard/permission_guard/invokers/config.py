"""AWS Config: custom rules. A rule is created after its permission, so a condition on the account is usual."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "config.amazonaws.com",
    "Config rule",
    "arn:{partition}:config:{region}:{account}:config-rule/CONFIG-RULE-ID",
    "https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_nodejs.html",
    other_source_arns=(
        "arn:{partition}:config:{region}:{account}:config-rule/aws-service-rule/SERVICE/CONFIG-RULE-ID",
    ),
    names={"CONFIG-RULE-ID": r"config-rule-[A-Za-z0-9]+", "SERVICE": r"[a-z.\-]+"},
    account_suffices=True,
)
