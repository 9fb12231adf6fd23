"""PG206 tracing-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Severity
from permission_guard.needs.features.tracing import Tracing
from permission_guard.rules.execution_role.function_rule import FunctionRule
from permission_guard.rules.execution_role.need_rule import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Function, Sources
    from permission_guard.model.verdicts import Verdict

_TRACING = Tracing()


class TracingMissing(FunctionRule):
    """Allow Lambda to send a function's traces to X-Ray.

    ## What it flags

    A function whose `TracingConfig` has the mode `Active` and whose execution role is not allowed
    `xray:PutTraceSegments`.

    ## Why it matters

    Nothing fails, and AWS does not check the permission. Tracing appears to be enabled, but the function is missing
    from the service map and traces of requests end there. Slow requests cannot be analyzed.

    ## How to fix

    Attach the AWS managed policy `AWSXRayDaemonWriteAccess` to the execution role, or allow `xray:PutTraceSegments` and
    `xray:PutTelemetryRecords` on `*` in your own policy. If the traces are not needed, set the mode to `PassThrough`.
    If the finding names an explicit deny or a permissions boundary as the cause, change that.

    ## Fix safety

    Safe: the fix attaches `AWSXRayDaemonWriteAccess`, which allows sending traces and reading sampling rules, and
    nothing else. It is additive, verified by reading the role back, and undone by detaching that policy.

    ## Limits

    - `xray:PutTelemetryRecords`, with which the sender reports on itself, is not required: AWS's own policy for
      Application Signals omits it.
    - Traces that the function's code sends elsewhere, or without active tracing, are not checked.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    - https://docs.aws.amazon.com/xray/latest/devguide/security_iam_id-based-policy-examples.html
    """

    id = "PG206"
    name = "tracing-missing"
    severity = Severity.LOW
    subjects = "tracing"

    def requirements_of(self, function: Function, sources: Sources) -> Iterator[Requirement]:
        """Yield sending traces, if Lambda starts them."""
        needs = _TRACING.needs(function, sources)
        if needs:
            yield Requirement(function, "tracing", needs, "send its traces to X-Ray", _TRACING.managed_policy)

    def unused(self, function: Function) -> Iterator[Verdict]:
        """Yield that active tracing is not enabled."""
        yield self.passed(function.arn, "tracing", f"Active tracing is not enabled for {function.name}.")

    def impact(self, requirement: Requirement) -> str:
        """Return what is lost."""
        return (
            f"{requirement.function.name} runs, but its traces are dropped. It is missing from the service map, and "
            "slow or failed requests cannot be analyzed."
        )
