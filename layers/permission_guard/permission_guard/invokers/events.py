"""Amazon EventBridge."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker("events.amazonaws.com", "rule", "arn:{partition}:events:{region}:{account}:rule/RULE-NAME")
