"""AWS IoT Core: topic rules, custom authorizers, provisioning template hooks and certificate providers."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "iot.amazonaws.com",
    "IoT rule",
    "arn:{partition}:iot:{region}:{account}:rule/RULE-NAME",
    "https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html",
    article="an",
    other_source_arns=(
        "arn:{partition}:iot:{region}:{account}:authorizer/AUTHORIZER-NAME",
        "arn:{partition}:iot:{region}:{account}:provisioningtemplate/TEMPLATE-NAME",
        "arn:{partition}:iot:{region}:{account}:certificateprovider:PROVIDER-NAME",
    ),
    names={
        "RULE-NAME": "[a-zA-Z0-9_]{1,128}",
        "AUTHORIZER-NAME": r"[\w=,@\-]{1,128}",
        "TEMPLATE-NAME": r"[0-9A-Za-z_\-]{1,36}",
        "PROVIDER-NAME": r"[\w=,@\-]{1,128}",
    },
)
