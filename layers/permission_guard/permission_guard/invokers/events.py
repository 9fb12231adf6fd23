"""Amazon EventBridge: rules. A target with a role requires no statement. A custom bus is part of its rules' ARNs."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker, Sent

INVOKER = Invoker(
    "events.amazonaws.com",
    "rule",
    "arn:{partition}:events:{region}:{account}:rule/RULE-NAME",
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html",
    other_source_arns=("arn:{partition}:events:{region}:{account}:rule/BUS-NAME/RULE-NAME",),
    correction=("(?<=:rule/)default/", ""),
    sends_source_account=Sent.UNKNOWN,
    account_dispute=(
        'AWS\'s guide "Troubleshooting Amazon EventBridge" says that a condition on aws:SourceAccount prevents '
        "EventBridge from invoking the function, but a recorded call has this key."
    ),
    names={
        "BUS-NAME": r"[.\-_A-Za-z0-9]{1,256}|aws\.partner/[/.\-_A-Za-z0-9]{1,244}",
        "RULE-NAME": r"[.\-_A-Za-z0-9]{1,64}",
    },
    never_begins=("rule/default/",),  # only rules of other buses have the bus in their ARN
)
