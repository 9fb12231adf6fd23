"""Amazon SNS."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

INVOKER = Invoker("sns.amazonaws.com", "topic", "arn:{partition}:sns:{region}:{account}:TOPIC-NAME")
