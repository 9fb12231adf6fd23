"""The composition root of what the command line reads of a deployment, and asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.clients import client_as
from permission_guard.aws.readers.deployed_stack import deployed_stack
from permission_guard.aws.senders.signed_requests import send_decision, send_finding_request, send_stop_request
from permission_guard.aws.tables.finding_list import FindingList
from permission_guard.errors import ConfigurationError
from permission_guard.model.arns import parse_function_arn
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.aws.readers.deployed_stack import DeployedStack
    from permission_guard.findings.requests import FindingRequest
    from permission_guard.fixes.decisions import DecisionRequest
    from permission_guard.fixes.stop_requests import StopRequest
    from permission_guard.model.targets import JSON


@record
class Deployment:
    """A deployed stack, as one profile may use it."""

    stack: DeployedStack
    findings: FindingList
    profile: str | None

    def manage(self, request: FindingRequest) -> JSON:
        """Send a request about findings, signed by the caller; return the answer.

        ConfigurationError, RequestRefusedError or RetryableError if it is not done.
        """
        return send_finding_request(request, self._function("ManageFindingsFunctionArn"), self.profile)

    def decide(self, request: DecisionRequest) -> JSON:
        """Send a decision about a proposed fix, signed by the caller; return the answer.

        The same errors as `manage`.
        """
        return send_decision(request, self._function("DecideFixFunctionArn"), self.profile)

    def switch(self, request: StopRequest) -> JSON:
        """Send a request to stop or resume all fixing, signed by the caller; return the answer. The same errors."""
        return send_stop_request(request, self._function("DecideFixFunctionArn"), self.profile)

    def _function(self, output: str) -> str:
        """Return the function of an output. ConfigurationError if it is none of the stack's account and region."""
        arn, own = self.stack.output(output), self.stack.arn
        try:
            target, qualifier = parse_function_arn(arn)
        except ValueError as error:
            raise ConfigurationError(f"the output {output} of {self.stack.name} is {error}") from error
        # The signature and the session token go to this function: it must be the bot of the same account.
        if qualifier or (target.partition, target.region, target.account) != (own.partition, own.region, own.account):
            raise ConfigurationError(
                f"{arn} is not a function of the account and region of the stack {self.stack.name}"
            )
        return arn


def deployment(stack_name: str, *, profile: str | None = None, region: str | None = None) -> Deployment:
    """Return what is deployed under a name. ConfigurationError, in plain words, if it cannot be read."""
    stack = deployed_stack(client_as("cloudformation", profile=profile, region=region), stack_name)
    dynamodb = client_as("dynamodb", profile=profile, region=stack.arn.region)
    return Deployment(stack, FindingList(dynamodb, stack.output("FindingsTableName")), profile)
