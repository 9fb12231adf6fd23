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

    Nothing fails, and AWS does not check it. The function is missing from the service map, requests that pass through
    it end there, and when they are slow nobody sees where. Tracing looks as if it was on.

    ## How to fix

    Attach the AWS managed policy `AWSXRayDaemonWriteAccess` to the execution role, or allow `xray:PutTraceSegments` and
    `xray:PutTelemetryRecords` on `*` in a policy of your own. If nobody wants the traces, set the mode to
    `PassThrough`. If an explicit deny or a permissions boundary is named as the cause, change that.

    ## Fix safety

    Not fixed automatically yet. The AWS managed policy is for sending traces and asking how many to send, and nothing
    else.

    ## Limits

    `xray:PutTelemetryRecords`, with which the sender reports on itself, is not asked for: AWS's own policy for
    Application Signals does without it. Traces that the function's code sends elsewhere, or without active tracing, are
    not judged.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    - https://docs.aws.amazon.com/xray/latest/devguide/security_iam_id-based-policy-examples.html
    """

    id = "PG206"
    name = "tracing-missing"
    severity = Severity.LOW
    subjects = "tracing"

    def ask(self, function: Function, sources: Sources) -> Iterator[Requirement]:
        """Yield sending traces, where Lambda starts them."""
        needs = _TRACING.needs(function, sources)
        if needs:
            yield Requirement(function, "tracing", needs, "send its traces to X-Ray", _TRACING.managed_policy)

    def unused(self, function: Function) -> Iterator[Verdict]:
        """Yield that there are none."""
        yield self.passed(function.arn, "tracing", f"Active tracing is not turned on for {function.name}.")

    def impact(self, requirement: Requirement) -> str:
        """Say what nobody will see."""
        return (
            f"{requirement.function.name} runs, and its traces are dropped: it is missing from the service map, and "
            "where a slow or failed request spent its time cannot be seen."
        )
