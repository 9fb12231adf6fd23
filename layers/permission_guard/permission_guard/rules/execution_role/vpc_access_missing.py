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

    A function with subnets in its `VpcConfig` whose execution role is not allowed to make, describe and delete network
    interfaces: `ec2:CreateNetworkInterface`, `ec2:DescribeNetworkInterfaces` and `ec2:DeleteNetworkInterface`.

    ## Why it matters

    AWS checks this when a function is put into a VPC, and not again. When the permission goes later, the function runs
    on through the network interfaces that are there, and nothing shows. It breaks when Lambda next needs to make one:
    when the function's subnets or security groups change, when Lambda took back the interfaces of a function that was
    idle for weeks, or when the same template is deployed elsewhere. What Lambda may not delete stays behind, and holds
    its subnet and security group until somebody deletes it by hand.

    ## How to fix

    Attach the AWS managed policy `AWSLambdaVPCAccessExecutionRole` to the execution role, or
    `AWSLambdaENIManagementAccess`, which is the same without logs. In a policy of your own allow the actions on `*`:
    AWS takes nothing less for `ec2:DescribeNetworkInterfaces`. If an explicit deny or a permissions boundary is named
    as the cause, change that. To keep the function's code from using these permissions, deny them under a condition on
    `lambda:SourceFunctionArn`, as AWS recommends: Lambda's own calls do not carry that key, and such a statement is
    not flagged.

    ## Fix safety

    Not fixed automatically yet. The AWS managed policy also lets the function write logs, and nothing else.

    ## Limits

    `ec2:DescribeSubnets`, `ec2:AssignPrivateIpAddresses` and `ec2:UnassignPrivateIpAddresses` are in AWS's list and are
    not asked for: functions are in VPCs without them. Where a policy names subnets or security groups, whether they
    are those of the function is not known: it is unknown, unless it names network interfaces as well. Policies of VPC
    endpoints and service control policies are not read.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    - https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    - https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html
    """

    id = "PG205"
    name = "vpc-access-missing"
    severity = Severity.HIGH
    subjects = "vpc-access"

    def ask(self, function: Function, sources: Sources) -> Iterator[Requirement]:
        """Yield managing network interfaces, where the function is in a VPC."""
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
        """Yield that the function needs none."""
        yield self.passed(function.arn, "vpc-access", f"{function.name} is not in a VPC.")

    def impact(self, requirement: Requirement) -> str:
        """Say what goes on for now, and what does not."""
        return (
            f"{requirement.function.name} runs on through the network interfaces that it has. The next time that "
            "Lambda has to make one, after a change of its subnets or security groups or after weeks without an "
            "invocation, the change or the invocation fails; and those that Lambda cannot delete hold on to their "
            "subnets."
        )
