"""PG112 invoke-permission-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import (
    EvalDecision,
)
from permission_guard.invokers import invoker_of
from permission_guard.invokers.trigger_calls import decisions, is_disputed
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import ResourcePolicy, Unread
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import added
from permission_guard.remedies.trigger_permission import permission_of
from permission_guard.rules.base import Rule
from permission_guard.rules.invoke_policy.function_url_verdicts import url_verdicts
from permission_guard.rules.invoke_policy.statement_rule import POLICY_READS
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Inventory, Snapshot, Trigger
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.model.verdicts import Verdict


class InvokePermissionMissing(Rule):
    """Allow each configured trigger to invoke its function.

    ## What it flags

    A trigger that is configured to invoke the function, and that no statement of the policy allows: an S3 notification,
    an EventBridge rule on any bus, an SNS subscription, a method of a REST, HTTP or WebSocket API, a subscription
    filter of CloudWatch Logs, a target group, a user pool, a Config rule, an IoT rule or authorizer, the rotation of a
    secret, a CloudWatch alarm. If the trigger invokes an alias or a version, the policy of the alias or version is
    evaluated.

    A function URL whose policy does not grant the pair of permissions that a call requires: `lambda:InvokeFunctionUrl`
    and, through the URL, `lambda:InvokeFunction`. This also concerns CloudFront's origin access control and callers of
    other accounts. The severity is low for a URL without authentication that no statement allows anyone to call.

    ## Why it matters

    Lambda denies the calls of the service, usually without an alert: events are dropped, mails are not sent, secrets
    are not rotated. A function URL returns 403.

    ## How to fix

    Add the statement for this source and its account. If a Deny statement denies the trigger, no Allow statement helps:
    narrow the Deny, or remove the trigger.

    For a URL without authentication, decide: delete the URL, set its authentication to `AWS_IAM`, or publish it with
    both statements.

    ## Fix safety

    Unsafe: whoever can configure a trigger would have the bot allow it. The fix adds a statement for exactly this
    source, after an approval, and only for AWS services whose triggers the bot can list. In `auto` it does so without
    one only if `rules.PG112.fix` is `auto` and `AutoFix` is `grant`. A URL is never published.

    ## Limits

    Triggers of other accounts are not visible. Triggers that use a role need no statement and are skipped. The
    configured triggers are read once for many functions, cached for some minutes, and read again for each sweep. The
    outcome is unknown for triggers that cannot be read, for an API whose integration names the function by a stage
    variable, and if it depends on a key that AWS does not document for the service, such as the account that a topic or
    an API sends. An API passes if one of its stages is allowed: which stages are in use is not visible. The outcome is
    also unknown if only a statement with the method `ANY`, or with a path parameter of an HTTP API, matches: reports
    disagree on whether API Gateway sends these. It is unknown for an EventBridge rule that is allowed only if
    EventBridge sends `aws:SourceAccount`: AWS's troubleshooting guide says that such a condition prevents EventBridge
    from invoking the function, but a recorded call has the key.

    In a template, the triggers and URLs are those of the file, and so are the statements. What a function outside the
    file allows is unknown. Read from templates only: Lambda authorizers of AppSync, provisioning templates and
    certificate providers of IoT, receipt rules, repositories and agents. VPC Lattice adds the permission itself.

    URLs created before October 2025 required only `lambda:InvokeFunctionUrl`. AWS announced that this exception ends on
    1 November 2026; the finding says if a URL is that old. Callers of the function's own account pass: their
    identity-based policies can grant the other permission. Which distributions have a URL as their origin is
    read from templates only.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    - https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    - https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html
    """

    id = "PG112"
    name = "invoke-permission-missing"
    severity = Severity.HIGH
    direction = Direction.INVOKE_POLICY
    of_inventories = True
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
        "lambda:ListFunctionUrlConfigs",
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
        """Yield a verdict for each trigger and each URL of the function, and one for each inventory that is unread."""
        policies = {
            policy.resource_arn: policy for policy in snapshot.resource_policies if not isinstance(policy, Unread)
        }
        unread = next((policy for policy in snapshot.resource_policies if isinstance(policy, Unread)), None)
        evaluated = set()
        for inventory in snapshot.inventories:
            yield from self._unread(inventory, snapshot.target)
            for trigger in inventory.triggers:
                try:
                    target, _ = parse_function_arn(trigger.function_arn)
                except ValueError:
                    continue  # the trigger names no function
                if target == snapshot.target:
                    policy = policies.get(trigger.function_arn.removesuffix(":$LATEST"))
                    verdict = self._evaluate(trigger, policy, unread, snapshot.own_organization)
                    evaluated.add((verdict.function_arn, verdict.subject))
                    yield verdict
        for verdict in url_verdicts(self, snapshot, policies, unread):
            if (verdict.function_arn, verdict.subject) not in evaluated:
                yield verdict

    def _unread(self, inventory: Inventory, target: FunctionTarget) -> Iterator[Verdict]:
        """Yield that sources of an inventory could not be read: one verdict, however many they are."""
        if isinstance(inventory.sources, Unread):
            yield self.unknown(target.arn, f"trigger/{inventory.principal}/*", str(inventory.sources))
        if inventory.unread:
            source, reason = next(iter(sorted(inventory.unread.items())))
            others = len(inventory.unread) - 1
            more = f" and {others} more" if others else ""
            subject = f"trigger/{inventory.principal}/{source}/*" if not others else f"trigger/{inventory.principal}/*"
            yield self.unknown(target.arn, subject, f"The triggers of {source}{more} could not be read. {reason}")

    def _evaluate(
        self, trigger: Trigger, policy: ResourcePolicy | None, unread: Unread | None, own_organization: object
    ) -> Verdict:
        arn, subject = trigger.function_arn, f"trigger/{trigger.principal}/{trigger.source}"
        invoker = invoker_of(trigger.principal)
        target, qualifier = parse_function_arn(arn)
        function = f"{target.name}:{qualifier}" if qualifier else target.name
        configured = f"{_capitalized(trigger.description)} is configured to invoke {function}."
        calls = [
            (action, decisions(trigger, action, policy, own_organization) if policy else [])
            for action in invoker.actions
        ]
        denied = [(action, made) for action, made in calls if all(one.denied for one in made)]
        if not denied:
            if all(any(one.allowed for one in made) for _, made in calls):
                return self.passed(arn, subject, f"A statement allows {trigger.description} to invoke {function}.")
            unknown = next(one for _, made in calls for one in made if not (one.allowed or one.denied))
            is_disputed_account = "aws:sourceaccount" in map(str.lower, unknown.unknown_keys)
            dispute = f" {invoker.account_dispute}" if is_disputed_account and invoker.account_dispute else ""
            return self.unknown(arn, subject, f"{configured} {unknown.explain()}{dispute}")
        if policy is not None and any(is_disputed(trigger, action, policy, own_organization) for action, _ in denied):
            sent = " or ".join(trigger.disputed_source_arns[:2])
            why = f"AWS's documentation and reports disagree on whether {invoker.a_source} sends {sent}."
            return self.unknown(arn, subject, f"{configured} Unknown: {why}")
        if policy is None and unread is not None:
            return self.unknown(arn, subject, str(unread))
        explicit = next((one for _, made in denied for one in made if one.decision is EvalDecision.EXPLICIT_DENY), None)
        first = explicit or next((one for _, made in denied for one in made), None)
        why = first.explain() if first else f"{function} has no resource-based policy."
        why += " No Allow statement overrides a Deny." if explicit else ""
        if len(invoker.actions) > 1:
            why += (
                f" {invoker.principal} requires {listed(invoker.actions)}; {listed([a for a, _ in denied])} is missing."
            )
        permissions = [permission_of(trigger, invoker, action) for action, _ in denied]
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
                "principal": permissions[0].principal,
                "source_arns": list(trigger.source_arns),
                "source_account": trigger.source_account,
                "function_arn": arn,
            },
            remedies=() if explicit else added(*permissions),
        )


def _capitalized(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
