"""PG205 vpc-access-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.verdicts import Severity
from permission_guard.needs.features.configuration import part
from permission_guard.needs.features.network import Network
from permission_guard.rules.execution_role.function_rule import FunctionRule
from permission_guard.rules.execution_role.need_rule import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Function, Sources
    from permission_guard.model.verdicts import Verdict

_NETWORK = Network()


class VpcAccessMissing(FunctionRule):
    """Allow Lambda to manage the network interfaces of a function in a VPC.

    ## What it flags

    A function with subnets in its `VpcConfig` whose execution role is not allowed to create, describe and delete
    network interfaces: `ec2:CreateNetworkInterface`, `ec2:DescribeNetworkInterfaces` and `ec2:DeleteNetworkInterface`.

    ## Why it matters

    AWS checks these permissions only when a function is attached to a VPC. If a later change removes them, the function
    continues to run with its existing network interfaces. It fails when Lambda must create a new one: when the
    function's subnets or security groups change, when Lambda removed the interfaces of a function that was idle for
    weeks, or when the same template is deployed elsewhere. Interfaces that Lambda cannot delete block their subnet and
    security group until a user deletes them.

    ## How to fix

    Attach the AWS managed policy `AWSLambdaVPCAccessExecutionRole` to the execution role, or
    `AWSLambdaENIManagementAccess`, which is the same without logs. In your own policy, allow the actions on `*`: AWS
    requires that for `ec2:DescribeNetworkInterfaces`. If the finding names an explicit deny or a permissions boundary
    as the cause, change that.

    To keep the function's code from using these permissions, deny them with a condition on `lambda:SourceFunctionArn`,
    as AWS recommends. Lambda's own calls do not have that key, and the rule does not flag such a statement.

    ## Fix safety

    Safe: the fix attaches `AWSLambdaENIManagementAccess`, or `AWSLambdaVPCAccessExecutionRole` where only that one has
    what is missing, and nothing else. It is additive, verified by reading the role back, and undone by detaching that
    policy.

    ## Limits

    - `ec2:DescribeSubnets`, `ec2:AssignPrivateIpAddresses` and `ec2:UnassignPrivateIpAddresses` are in AWS's list but
      not required: functions run in VPCs without them.
    - The rule does not know whether the subnets or security groups in a policy are those of the function: such a policy
      is unknown, unless it names network interfaces too.
    - Policies of VPC endpoints are not read. IAM's policy simulator evaluates service control policies if AWS denied a
      call because of the network interfaces, or reports that the function lacks a permission.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    - https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html
    """

    id = "PG205"
    name = "vpc-access-missing"
    severity = Severity.HIGH
    subjects = "vpc-access"

    def requirements_of(self, function: Function, sources: Sources) -> Iterator[Requirement]:
        """Yield managing network interfaces, if the function is in a VPC."""
        needs = _NETWORK.needs(function, sources)
        if needs:
            yield Requirement(
                function,
                "vpc-access",
                needs,
                "manage network interfaces in its VPC",
                _NETWORK.managed_policy,
                {"subnet_ids": part(function, "VpcConfig").get("SubnetIds")},
            )

    def unused(self, function: Function) -> Iterator[Verdict]:
        """Yield that the function is not in a VPC."""
        yield self.passed(function.arn, "vpc-access", f"{function.name} is not in a VPC.")

    def impact(self, requirement: Requirement) -> str:
        """Return what still works, and what fails later."""
        return (
            f"{requirement.function.name} continues to run with its existing network interfaces. When Lambda must "
            "create one, after a change of its subnets or security groups or after weeks without an invocation, the "
            "change or the invocation fails. Interfaces that Lambda cannot delete block their subnets."
        )
