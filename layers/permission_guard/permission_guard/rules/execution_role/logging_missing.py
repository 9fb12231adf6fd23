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

    An execution role that is not allowed `logs:CreateLogStream` and `logs:PutLogEvents` on the log group that the
    function really writes to: the one that its `LoggingConfig` names, else `/aws/lambda/` and its name. Where that log
    group does not exist, `logs:CreateLogGroup` is asked as well; a group that somebody made needs nobody to make it.

    ## Why it matters

    Nothing fails. The function runs, and what it prints, its errors and stack traces, the reports of its duration and
    memory are dropped. Whoever looks for the cause of a failure finds an empty log group or none, metric filters and
    alarms on logs see no data, and an auditor finds nothing. AWS does not check the permission when a function is made,
    and tells nobody.

    ## How to fix

    Attach the AWS managed policy `AWSLambdaBasicExecutionRole` to the execution role, or allow the missing actions on
    the log group in a policy of your own. Its resource ends in `:*`, as in
    `arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orders:*`: without that it matches no log stream. Where
    a function was given another log group, a policy for `/aws/lambda/*` does not do any more. If an explicit deny or a
    permissions boundary is named as the cause, change that.

    ## Fix safety

    Not fixed automatically yet. The AWS managed policy lets a function write logs and nothing else.

    ## Limits

    Where it was not read whether the log group exists, a role that may not make it is unknown. In which order, or with
    which name, a log stream is made is not known: a policy for some streams of the group is unknown. Of a Lambda@Edge
    function only the log group in its own region is judged, not those in the regions of its replicas. That a log
    group's key lets CloudWatch Logs use it is not looked at.

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

    def ask(self, function: Function, sources: Sources) -> Iterator[Requirement]:
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
        """Say what nobody will see."""
        return (
            f"{requirement.function.name} runs, and what it prints, its errors and the reports of its invocations are "
            "lost without a word: whoever looks for the cause of a failure finds nothing, and alarms on its logs see "
            "no data."
        )
