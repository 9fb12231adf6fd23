"""PG112 invoke-permission-missing."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from permission_guard.iam import (
    FUNCTION_URL_KEYS,
    Context,
    Decision,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    evaluate,
)
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES
from permission_guard.invokers import Sent, invoker_of
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import ResourcePolicy, Unread
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import added, needs_account, source_arn
from permission_guard.remedies.permission import Permission, sid
from permission_guard.rules.base import Rule
from permission_guard.rules.invoke_policy.statement_rule import POLICY_READS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.invokers import Invoker
    from permission_guard.model.state import Snapshot, Trigger
    from permission_guard.model.verdicts import Verdict

_LONGEST_NAME: Final = 30


class InvokePermissionMissing(Rule):
    """Allow each trigger that is set up to invoke a function.

    ## What it flags

    Something that is set up to call the function, and that no statement of the policy lets in: an S3 notification, an
    EventBridge rule on any bus, an SNS subscription, a method of a REST, HTTP or WebSocket API, a subscription filter
    of CloudWatch Logs, a target group, a user pool, a Config rule, an IoT rule or authorizer, the rotation of a secret,
    a CloudWatch alarm. A trigger that calls an alias or a version is judged by the policy of that one.

    ## Why it matters

    The service is refused, and most often nobody is told: events are dropped, mails are not sent, secrets are not
    rotated.

    ## How to fix

    Add the statement, for this source and its account. Where a Deny keeps the trigger out, no statement helps: the Deny
    has to be narrowed, or the trigger removed.

    ## Fix safety

    Not fixed automatically yet.

    ## Limits

    Triggers of other accounts cannot be seen. Those that use a role need no statement and are passed over. What is set
    up is read once for many functions and remembered for some minutes, and anew for each sweep. The kinds of triggers
    that cannot be read are unknown, as is an API whose integration names the function by a stage variable. What AWS
    does not document a service to send is not known either, such as the account with which a topic or an API calls. An
    API passes when one of its stages is let in: which of them are in use cannot be seen.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """

    id = "PG112"
    name = "invoke-permission-missing"
    severity = Severity.HIGH
    direction = Direction.INVOKE_POLICY
    offline = False
    grace_period = True
    reads = POLICY_READS | {
        "apigateway:GET",
        "cloudwatch:DescribeAlarms",
        "cognito-idp:DescribeUserPool",
        "cognito-idp:ListUserPools",
        "config:DescribeConfigRules",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "events:ListEventBuses",
        "events:ListRules",
        "events:ListTargetsByRule",
        "iot:DescribeAuthorizer",
        "iot:GetTopicRule",
        "iot:ListAuthorizers",
        "iot:ListTopicRules",
        "logs:DescribeAccountPolicies",
        "logs:DescribeLogGroups",
        "logs:DescribeSubscriptionFilters",
        "s3:GetBucketNotification",
        "s3:ListAllMyBuckets",
        "secretsmanager:ListSecrets",
        "sns:ListSubscriptions",
        "sns:ListTopics",
    }

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each trigger of the function, and one for each source that could not be read."""
        policies = {
            policy.resource_arn: policy for policy in snapshot.resource_policies if not isinstance(policy, Unread)
        }
        unread = next((policy for policy in snapshot.resource_policies if isinstance(policy, Unread)), None)
        for inventory in snapshot.inventories:
            about = f"trigger/{inventory.principal}"
            if isinstance(inventory.sources, Unread):
                yield self.unknown(snapshot.target.arn, f"{about}/*", str(inventory.sources))
            for source, reason in inventory.unread.items():
                yield self.unknown(snapshot.target.arn, f"{about}/{source}/*", str(reason))
            for trigger in inventory.triggers:
                try:
                    target, _ = parse_function_arn(trigger.function_arn)
                except ValueError:
                    continue  # it names no function: there is nothing that could be let in
                if target == snapshot.target:
                    policy = policies.get(trigger.function_arn.removesuffix(":$LATEST"))
                    yield self._judge(trigger, policy, unread, snapshot.own_organization)

    def _judge(
        self, trigger: Trigger, policy: ResourcePolicy | None, unread: Unread | None, own_organization: object
    ) -> Verdict:
        arn, subject = trigger.function_arn, f"trigger/{trigger.principal}/{trigger.source}"
        invoker = invoker_of(trigger.principal)
        decisions = (
            [_decide(trigger, policy, own_organization, *asked) for asked in _ways(trigger, invoker)] if policy else []
        )
        if any(decision.allowed for decision in decisions):
            return self.passed(arn, subject, f"A statement lets {trigger.description} in.")
        unclear = next((decision for decision in decisions if not decision.denied), None)
        if unclear is not None:
            return self.unknown(arn, subject, f"Whether {trigger.description} is let in: {unclear.explain()}")
        if policy is None and unread is not None:
            return self.unknown(arn, subject, str(unread))
        target, qualifier = parse_function_arn(arn)
        function = f"{target.name}:{qualifier}" if qualifier else target.name
        refused = next((each for each in decisions if each.decision is EvalDecision.EXPLICIT_DENY), None)
        why = (refused or decisions[0]).explain() if decisions else f"{function} has no resource-based policy."
        why += " No other statement helps against that." if refused else ""
        permission = _permission(trigger, invoker)
        return self.violation(
            function_arn=arn,
            subject=subject,
            title=f"{function} does not let in {trigger.description}",
            reason=f"{trigger.description[0].upper()}{trigger.description[1:]} is set up to call {function}. {why}",
            impact=(
                f"{trigger.principal} is refused each time it calls, and most often nobody is told: what it sends is "
                "lost, and whoever waits for the function's answer gets an error."
            ),
            evidence={
                "principal": permission.principal,
                "source_arns": list(trigger.source_arns),
                "source_account": trigger.source_account,
                "function_arn": arn,
            },
            remedies=() if refused else added(permission),
        )


def _ways(trigger: Trigger, invoker: Invoker) -> Iterator[tuple[str, str]]:
    """Yield the principals and ARNs as which a trigger may call: AWS does not tell which it is."""
    target, _ = parse_function_arn(trigger.function_arn)
    for principal in dict.fromkeys((invoker.principal, invoker.principal_in(target.partition, target.region))):
        for arn in trigger.source_arns:
            yield principal, arn


def _decide(
    trigger: Trigger, policy: ResourcePolicy, own_organization: object, principal: str, sent_arn: str
) -> Decision:
    """Return AWS's decision on a trigger's call; what its service is not documented to send is not known."""
    invoker = invoker_of(principal)
    account = parse_function_arn(policy.resource_arn)[0].account
    known: dict[str, str | bool | None] = {
        "aws:PrincipalIsAWSService": True,
        "aws:PrincipalServiceName": principal,
        "aws:ResourceAccount": account,
        "aws:SecureTransport": True,  # Lambda's endpoints take nothing else
    }
    if invoker.sends_source_arn is Sent.YES:
        known["aws:SourceArn"] = sent_arn
    if invoker.sends_source_account is Sent.YES:
        known["aws:SourceAccount"] = trigger.source_account
        if trigger.source_account == account and own_organization is None:
            known |= {"aws:SourceOrgID": None, "aws:SourceOrgPaths": None}
        elif trigger.source_account == account and isinstance(own_organization, str):
            known["aws:SourceOrgID"] = own_organization
    context = Context(known, absent=[*invoker.never_sends, *NOT_SENT_BY_SERVICES, *FUNCTION_URL_KEYS])
    request = Request(Principal.service(principal), "lambda:InvokeFunction", policy.resource_arn, context)
    return evaluate(request, PolicySet(resource=policy.document))


def _permission(trigger: Trigger, invoker: Invoker) -> Permission:
    """Return the permission that lets one trigger in, and nothing else."""
    target, qualifier = parse_function_arn(trigger.function_arn)
    # The name with the region in it is for China, and for topics that call from other regions; elsewhere both will do.
    regional = target.partition == "aws-cn" and "{suffix}" in invoker.regional_principal
    principal = invoker.principal_in(target.partition, target.region) if regional else invoker.principal
    return Permission(
        function_name=target.name,
        qualifier=qualifier if qualifier and qualifier != "$LATEST" else "",
        statement_id=_statement_id(principal, trigger.source),
        action="lambda:InvokeFunction",
        principal=principal,
        source_arn="" if invoker.account_suffices else source_arn(trigger),
        source_account=trigger.source_account if needs_account(invoker) else "",
    )


def _statement_id(principal: str, source: str) -> str:
    """Return a Sid that tells of the source, and that no other source of the service has."""
    resource = source.split(":", 5)[-1]
    name = re.sub(r"[^A-Za-z0-9]+", "-", resource)[:_LONGEST_NAME].strip("-")
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return sid(principal.split(".", maxsplit=1)[0], f"-{name}-{digest}")
