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
from permission_guard.iam.arn import split_arn
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
    """Allow each configured trigger to invoke its function.

    ## What it flags

    A trigger that is configured to invoke the function, and that no statement of the policy allows: an S3 notification,
    an EventBridge rule on any bus, an SNS subscription, a method of a REST, HTTP or WebSocket API, a subscription
    filter of CloudWatch Logs, a target group, a user pool, a Config rule, an IoT rule or authorizer, the rotation of a
    secret, a CloudWatch alarm. If the trigger invokes an alias or a version, the policy of the alias or version is
    evaluated.

    ## Why it matters

    Lambda denies the calls of the service, usually without an alert: events are dropped, mails are not sent, secrets
    are not rotated.

    ## How to fix

    Add the statement for this source and its account. If a Deny statement denies the trigger, no Allow statement helps:
    narrow the Deny, or remove the trigger.

    ## Fix safety

    Not fixed automatically yet.

    ## Limits

    Triggers of other accounts are not visible. Triggers that use a role need no statement and are skipped. The
    configured triggers are read once for many functions, cached for some minutes, and read again for each sweep. The
    outcome is unknown for triggers that cannot be read, for an API whose integration names the function by a stage
    variable, and if it depends on a key that AWS does not document for the service, such as the account that a topic or
    an API sends. An API passes if one of its stages is allowed: which stages are in use is not visible.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """

    id = "PG112"
    name = "invoke-permission-missing"
    severity = Severity.HIGH
    direction = Direction.INVOKE_POLICY
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
                    continue  # the trigger names no function
                if target == snapshot.target:
                    policy = policies.get(trigger.function_arn.removesuffix(":$LATEST"))
                    yield self._evaluate(trigger, policy, unread, snapshot.own_organization)

    def _evaluate(
        self, trigger: Trigger, policy: ResourcePolicy | None, unread: Unread | None, own_organization: object
    ) -> Verdict:
        arn, subject = trigger.function_arn, f"trigger/{trigger.principal}/{trigger.source}"
        invoker = invoker_of(trigger.principal)
        target, qualifier = parse_function_arn(arn)
        function = f"{target.name}:{qualifier}" if qualifier else target.name
        configured = f"{_capitalized(trigger.description)} is configured to invoke {function}."
        decisions = (
            [_decide(trigger, policy, own_organization, *call) for call in _possible_calls(trigger, invoker)]
            if policy
            else []
        )
        if any(decision.allowed for decision in decisions):
            return self.passed(arn, subject, f"A statement allows {trigger.description} to invoke {function}.")
        unknown = next((decision for decision in decisions if not decision.denied), None)
        if unknown is not None:
            return self.unknown(arn, subject, f"{configured} {unknown.explain()}")
        if policy is None and unread is not None:
            return self.unknown(arn, subject, str(unread))
        denied = next((each for each in decisions if each.decision is EvalDecision.EXPLICIT_DENY), None)
        why = (denied or decisions[0]).explain() if decisions else f"{function} has no resource-based policy."
        why += " No Allow statement overrides a Deny." if denied else ""
        permission = _permission(trigger, invoker)
        return self.violation(
            function_arn=arn,
            subject=subject,
            title=f"{_capitalized(trigger.description.removeprefix('the '))} cannot invoke {function}",
            reason=f"{configured} {why}",
            impact=(
                f"Lambda denies every call by {trigger.principal}, usually without an alert. Events are lost, and "
                "synchronous callers get an error."
            ),
            evidence={
                "principal": permission.principal,
                "source_arns": list(trigger.source_arns),
                "source_account": trigger.source_account,
                "function_arn": arn,
            },
            remedies=() if denied else added(permission),
        )


def _capitalized(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _possible_calls(trigger: Trigger, invoker: Invoker) -> Iterator[tuple[str, str]]:
    """Yield the principals and source ARNs that a trigger may send: AWS does not document which it sends."""
    target, _ = parse_function_arn(trigger.function_arn)
    for principal in dict.fromkeys((invoker.principal, invoker.principal_in(target.partition, target.region))):
        for arn in trigger.source_arns:
            yield principal, arn


def _decide(
    trigger: Trigger, policy: ResourcePolicy, own_organization: object, principal: str, sent_arn: str
) -> Decision:
    """Return AWS's decision on a trigger's call; keys that the service is not documented to send are unknown."""
    invoker = invoker_of(principal)
    account = parse_function_arn(policy.resource_arn)[0].account
    known: dict[str, str | bool | None] = {
        "aws:PrincipalIsAWSService": True,
        "aws:PrincipalServiceName": principal,
        "aws:ResourceAccount": account,
        "aws:SecureTransport": True,  # Lambda's endpoints accept only TLS
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
    """Return the permission that allows one trigger and nothing else."""
    target, qualifier = parse_function_arn(trigger.function_arn)
    # China requires the principal with the region in it, as do topics of other regions; elsewhere both work.
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
    """Return a Sid that names the source and is unique among the sources of the service."""
    resource = split_arn(source)[-1]
    name = re.sub(r"[^A-Za-z0-9]+", "-", resource)[:_LONGEST_NAME].strip("-")
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return sid(principal.split(".", maxsplit=1)[0], f"-{name}-{digest}")
