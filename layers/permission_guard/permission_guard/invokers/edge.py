"""Lambda@Edge: AWS writes these statements itself when it replicates a version."""

from __future__ import annotations

from permission_guard.invokers.base import Invoker

EDGE = Invoker("edgelambda.amazonaws.com", "distribution", "", names_its_source=False)
REPLICATOR = Invoker("replicator.lambda.amazonaws.com", "distribution", "", names_its_source=False)
