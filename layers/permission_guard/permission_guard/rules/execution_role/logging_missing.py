"""PG204 logging-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Severity
from permission_guard.needs.features.logging import Logging, log_group
from permission_guard.rules.execution_role.function_rule import FunctionRule
from permission_guard.rules.execution_role.need_rule import Requirement
from permission_guard.rules.execution_role.role_rule import POLICY_READS, ROLE_READS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Function, Sources

_LOGGING = Logging()


class LoggingMissing(FunctionRule):
    """Allow a function to write its logs.

    ## What it flags

    An execution role that is not allowed `logs:CreateLogStream` and `logs:PutLogEvents` on the function's actual log
    group: the one in its `LoggingConfig`, else `/aws/lambda/` and its name. If that log group does not exist,
    `logs:CreateLogGroup` is required too.

    ## Why it matters

    The function runs without an error, but its output, errors, stack traces and reports on duration and memory are
    dropped. The log group is empty or missing when a failure is investigated. Metric filters and alarms on logs see no
    data, and audits find nothing. AWS does not check the permission when a function is created, and sends no alert.

    ## How to fix

    Attach the AWS managed policy `AWSLambdaBasicExecutionRole` to the execution role, or allow the missing actions on
    the log group in your own policy. The resource must end in `:*`, as in
    `arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orders:*`: without it, the resource matches no log
    stream. A policy for `/aws/lambda/*` does not cover a custom log group. If the finding names an explicit deny or a
    permissions boundary as the cause, change that.

    ## Fix safety

    Safe: the fix attaches `AWSLambdaBasicExecutionRole`, which allows writing logs and nothing else. It is additive,
    verified by reading the role back, and undone by detaching that policy.

    ## Limits

    - If it was not read whether the log group exists, a role that is not allowed to create it is unknown.
    - AWS does not document the order and the names of log streams: a policy for some streams of the group is unknown.
    - For a Lambda@Edge function, only the log group in its own region is checked, not those in the regions of its
      replicas.
    - The rule does not check whether the key of a log group allows CloudWatch Logs.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    - https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    - https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """

    id = "PG204"
    name = "logging-missing"
    severity = Severity.MEDIUM
    subjects = "logging"
    reads = ROLE_READS | POLICY_READS | {"logs:DescribeLogGroups"}

    def requirements_of(self, function: Function, sources: Sources) -> Iterator[Requirement]:
        """Yield writing to the log group; every function has one."""
        group = log_group(function)
        yield Requirement(
            function,
            "logging",
            _LOGGING.needs(function, sources),
            f"write its logs to {group}",
            _LOGGING.managed_policy,
            {"log_group": group},
        )

    def impact(self, requirement: Requirement) -> str:
        """Return what is lost."""
        return (
            f"{requirement.function.name} runs, but its output, its errors and the reports on its invocations are lost "
            "without an error. Failures cannot be investigated, and alarms on its logs see no data."
        )
