"""PG211 feature-permission-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Severity
from permission_guard.needs.features import OPTIONAL_FEATURES
from permission_guard.rules.execution_role.function_rule import FunctionRule
from permission_guard.rules.execution_role.need_rule import Requirement, functions_of
from permission_guard.rules.execution_role.role_rule import POLICY_READS, ROLE_READS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Function, Snapshot, Sources
    from permission_guard.model.verdicts import Verdict

_IMPACTS = {f"feature/{feature.subject}": feature.impact for feature in OPTIONAL_FEATURES}


class FeaturePermissionMissing(FunctionRule):
    """Allow a function what its enabled features require.

    ## What it flags

    An enabled feature whose permissions the execution role lacks:

    - **Durable execution** (`DurableConfig`): `lambda:CheckpointDurableExecution` and
      `lambda:GetDurableExecutionState` on the function's executions, whose ARNs extend that of a version.
    - **Amazon EFS** (`FileSystemConfigs`): `elasticfilesystem:ClientMount`, if the file system has a policy. A file
      system without a policy allows every client that reaches it.
    - **Amazon S3 Files** (`FileSystemConfigs`): `s3files:ClientMount` on the file system or the access point.
    - **Lambda Insights** (its layer): writing to the log group `/aws/lambda-insights`, and creating it if it does not
      exist.
    - **Application Signals** (its layer): `xray:PutTraceSegments`, and writing to the log group
      `/aws/application-signals/data`.

    SnapStart, code signing and capacity providers require nothing of the execution role.

    ## Why it matters

    AWS does not check these permissions when the feature is enabled. A durable execution fails at its first
    checkpoint. If a file system cannot be mounted, every invocation fails. Lambda Insights and Application Signals
    stay empty without an error.

    ## How to fix

    Attach the AWS managed policy that the finding names to the execution role, or allow the missing actions in your
    own policy. For durable execution the resource must end in `:*`, as in
    `arn:aws:lambda:us-east-1:123456789012:function:orders:*`: an ARN without a qualifier matches no execution. If the
    finding names an explicit deny or a permissions boundary as the cause, change that.

    ## Fix safety

    The fix attaches the AWS managed policy that allows the least of those with everything that is missing, and nothing
    else: for a file system the read-only one. It is additive, verified by reading the role back, and undone by
    detaching that policy. The policies for Amazon EFS, Amazon S3 Files and durable execution apply to all resources of
    the account. Your own policy can be narrower.

    ## Limits

    - Writing to a file system, and reading large objects of Amazon S3 Files directly from the bucket, are not required:
      a function can work read-only and through the mount.
    - If the own policy of a file system or of a durable function was not read, a role without the permission is
      unknown, because that policy can allow it. For Amazon S3 Files this is always the case.
    - A policy for the executions of some versions is unknown.
    - Environment variables decide whether the Application Signals layer is active, and they are not read: a role
      without its permissions is unknown.
    - Extensions inside a container image are not detected.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem-efs.html
    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem-s3files.html
    - https://docs.aws.amazon.com/lambda/latest/dg/monitoring-insights.html
    - https://docs.aws.amazon.com/lambda/latest/dg/monitoring-application-signals.html
    - https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
    """

    id = "PG211"
    name = "feature-permission-missing"
    severity = Severity.MEDIUM
    subjects = "feature/*"
    reads = (
        ROLE_READS
        | POLICY_READS
        | {
            "logs:DescribeLogGroups",
            "elasticfilesystem:DescribeAccessPoints",
            "elasticfilesystem:DescribeFileSystemPolicy",
            "lambda:GetPolicy",
        }
    )

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield the requirements, and which features are unknown because the SDK drops what enables them."""
        yield from super().requirements(snapshot)
        for function in functions_of(snapshot):
            for feature in OPTIONAL_FEATURES:
                if feature.member in function.dropped:
                    reason = f"Unknown: the AWS SDK for Python is older than {feature.member}: update boto3."
                    yield self.unknown(function.arn, f"feature/{feature.subject}", reason)

    def requirements_of(self, function: Function, sources: Sources) -> Iterator[Requirement]:
        """Yield what each enabled feature of the function requires."""
        for feature in OPTIONAL_FEATURES:
            if feature.is_used(function):
                yield Requirement(
                    function,
                    f"feature/{feature.subject}",
                    feature.needs(function, sources),
                    feature.purpose,
                    feature.managed_policy,
                    {"feature": feature.name},
                )

    def impact(self, requirement: Requirement) -> str:
        """Return what does not work."""
        return _IMPACTS[requirement.subject]
