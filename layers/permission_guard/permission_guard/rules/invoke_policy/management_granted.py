"""PG109 management-granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import Restriction
from permission_guard.iam.arn import is_account_id, parse_arn
from permission_guard.invokers import invoker_of
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.invoke_policy import changed, in_steps, removed, replaced
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import counted, listed, principal_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam import PrincipalExposure
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

TAKEOVER: Final = ("UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission", "PutResourcePolicy")
"""The actions that change the code, the configuration that it runs with, or the policy."""

CHANGES: Final = (
    *TAKEOVER,
    "CreateAlias",
    "CreateFunctionUrlConfig",
    "DeleteAlias",
    "DeleteFunction",
    "DeleteFunctionCodeSigningConfig",
    "DeleteFunctionConcurrency",
    "DeleteFunctionEventInvokeConfig",
    "DeleteFunctionUrlConfig",
    "DeleteProvisionedConcurrencyConfig",
    "DeleteResourcePolicy",
    "DisableReplication",
    "EnableReplication",
    "PublishVersion",
    "PutFunctionCodeSigningConfig",
    "PutFunctionConcurrency",
    "PutFunctionEventInvokeConfig",
    "PutFunctionRecursionConfig",
    "PutFunctionScalingConfig",
    "PutProvisionedConcurrencyConfig",
    "PutRuntimeManagementConfig",
    "RemovePermission",
    "StopDurableExecution",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateFunctionEventInvokeConfig",
    "UpdateFunctionUrlConfig",
)
"""The actions that change a function, its versions, aliases, URLs or policy, the most important first.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

SECRETS: Final = ("GetFunction", "GetFunctionConfiguration", "ListVersionsByFunction")
"""The actions that return the code, or the configuration with the environment variables."""

READS: Final = (
    *SECRETS,
    "GetDurableExecution",
    "GetDurableExecutionHistory",
    "GetDurableExecutionState",
    "GetPolicy",
    "GetResourcePolicy",
)
"""The actions that return the code, the configuration, the policy or data that the function processes."""

_SHOWN: Final = 3
_INVOKE: Final = {
    "lambda:invokefunction": "lambda:InvokeFunction",
    "lambda:invokefunctionurl": "lambda:InvokeFunctionUrl",
}


class ManagementGranted(StatementRule):
    """Allow others to invoke a function, not to change it.

    ## What it flags

    A statement that grants more than invoking: `lambda:*`, or changes of the code, the configuration or the policy. If
    the principal is not trusted, also reading the code, or the configuration with the environment variables.

    ## Why it matters

    A principal that can change the code can run anything with the function's execution role. A principal that can
    change the policy can allow anyone.

    ## How to fix

    Grant only `lambda:InvokeFunction`. Let people and pipelines change functions with the policies of their own roles,
    which their account's administrators review.

    ## Fix safety

    Unsafe: a pipeline may deploy through the statement. The fix removes the statement after an approval. In `auto` it
    does so without one only if `rules.PG109.fix` is `auto`. It is refused if the statement also allows trusted
    principals to invoke.

    ## Limits

    Changes of the code, the configuration or the policy are critical for everyone and for untrusted accounts, high for
    trusted accounts, and medium for the own account and for services, which can hardly use them. Everyone under
    conditions that only services satisfy, such as `aws:SourceAccount`, counts as services. Other changes and reading
    are one severity lower. The statements with which Lambda@Edge replicates a version pass. An action that
    Lambda does not have grants nothing and passes.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """

    id = "PG109"
    name = "management-granted"
    severity = Severity.CRITICAL

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag actions that change the function and, for outsiders, actions that return its code or configuration."""
        holders = [item for item in allowed.exposure.principals if _can_use(item)]
        outsiders = [
            item for item in holders if not _is_service(item, allowed) and item.restriction is not Restriction.HELD
        ]
        changes, reads = _granted(CHANGES, allowed), _granted(READS, allowed)
        if not holders or not (changes or (reads and outsiders)):
            return "The statement allows no change of the function, and no untrusted principal to read it."
        names = changes or reads
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        shown = [f"lambda:{name}" for name in names[:_SHOWN]]
        found = holders if changes else outsiders
        who = listed(dict.fromkeys(_name(item, allowed) for item in found))
        short = counted((_short_name(item, allowed) for item in found), "principals")
        return Problem(
            title=f"{allowed.function} allows {short} to {'change' if changes else 'read'} it",
            reason=f"The statement grants {who} {', '.join(shown) + more if more else listed(shown)}.",
            impact=_impact(names),
            severity=_severity(allowed, holders, outsiders, names),
            evidence={"actions": list(allowed.exposure.beyond_invoke), "principals": [item.value for item in holders]},
            remedies=in_steps(allowed, _remedy(allowed), _who_changed_functions(allowed)),
        )


def _is_service(item: PrincipalExposure, allowed: Allowed) -> bool:
    """Return whether a principal is a service, or everyone under conditions that only services satisfy."""
    return item.kind == "Service" or (item.value == "*" and allowed.only_for_services)


def _name(item: PrincipalExposure, allowed: Allowed) -> str:
    """Format a principal for a sentence."""
    if item.value != "*":
        return item.value
    limits = [*item.accounts, *item.organizations]
    if _is_service(item, allowed):
        return f"any AWS service that calls for {listed(limits)}" if limits else _limited("any AWS service", item)
    return f"anyone in {listed(limits)}" if limits else _limited("anyone", item)


def _limited(who: str, item: PrincipalExposure) -> str:
    if item.restriction is not Restriction.HELD:
        return who
    return f"{who} {'that' if who.endswith('service') else 'who'} matches its conditions"


def _short_name(item: PrincipalExposure, allowed: Allowed) -> str:
    """Format a principal for a title."""
    limits = [*item.accounts, *item.organizations]
    if item.value != "*":
        return principal_name(item.value, allowed.snapshot.target.account)
    if not limits:
        return _name(item, allowed)
    of = "an AWS service for" if _is_service(item, allowed) else "anyone in"
    return f"{of} {counted(limits, 'accounts' if not item.organizations else 'accounts or organizations')}"


def _can_use(item: PrincipalExposure) -> bool:
    if item.restriction is Restriction.NEVER:
        return False
    return item.kind != "Service" or not (invoker_of(item.value).written_by_aws or invoker_of(item.value).has_ended)


def _granted(actions: Iterable[str], allowed: Allowed) -> list[str]:
    return [name for name in actions if allowed.statement.match_action(f"lambda:{name.lower()}") > 0]


def _impact(names: list[str]) -> str:
    if not set(names).isdisjoint(TAKEOVER):
        return (
            "A principal that can change the code can run anything with the function's execution role. A principal "
            "that can change the policy can allow anyone."
        )
    if not set(names).isdisjoint(CHANGES):
        return "The function can be stopped, deleted or reconfigured."
    if not set(names).isdisjoint(SECRETS):
        return "The code or the environment variables can be read. Environment variables often contain secrets."
    return "The policy or the data that the function processes can be read."


def _severity(
    allowed: Allowed, holders: list[PrincipalExposure], outsiders: list[PrincipalExposure], names: list[str]
) -> Severity:
    """Return the severity for the principals, one lower if code, configuration and policy cannot be changed."""
    own = allowed.snapshot.target.account
    others = any(not _is_service(item, allowed) and _account(item.value) != own for item in holders)
    grades = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
    grade = 3 if outsiders else 2 if others else 1
    return grades[grade if not set(names).isdisjoint(TAKEOVER) else grade - 1]


def _account(value: str) -> str:
    arn = parse_arn(value)
    return value if is_account_id(value) else arn.account if arn else ""


def _remedy(allowed: Allowed) -> tuple[Remedy, ...]:
    """Keep the permission to invoke for what is trusted, and remove everything else."""
    items = allowed.exposure.principals
    principals = [item.value for item in items]
    principal = _without(
        allowed.statement.raw.get("Principal"),
        {item.value for item in items if item.restriction is not Restriction.HELD},
    )
    if not allowed.exposure.grants_invoke or not principal:
        return removed(allowed, principals)
    named = [_INVOKE[text.lower()] for text in allowed.statement.action_texts if text.lower() in _INVOKE]
    by_url = "lambda:InvokeFunctionUrl" if allowed.exposure.function_url else "lambda:InvokeFunction"
    actions = [by_url] if allowed.statement.not_action or not named else list(dict.fromkeys(named))
    action = actions[0] if len(actions) == 1 else actions
    kept = changed(allowed, "-invoke", Principal=principal, Action=action)
    kept.pop("NotAction", None)
    changes = (
        f"The statement {allowed.name} is replaced: {_kept(principal)} may still invoke, and all other rights end."
    )
    return replaced(allowed, [kept], principals, changes)


def _kept(principal: JSON) -> str:
    lists = principal.values() if isinstance(principal, dict) else [principal]
    return listed(str(value) for values in lists for value in (values if isinstance(values, list) else [values]))


def _who_changed_functions(allowed: Allowed) -> str:
    """Return the command that shows who called Lambda lately, except for invocations."""
    by_lambda = ["AttributeKey=EventSource,AttributeValue=lambda.amazonaws.com"]
    return aws("cloudtrail", "lookup-events", allowed.snapshot.target.region, lookup_attributes=by_lambda)


def _without(written: JSON, anyone: set[str]) -> JSON:
    """Return a Principal element without some principals; None or empty if none is left."""
    if not isinstance(written, dict):
        return None if written in anyone else written
    lists = {kind: values if isinstance(values, list) else [values] for kind, values in written.items()}
    kept = {kind: [value for value in values if value not in anyone] for kind, values in lists.items()}
    return {kind: values[0] if len(values) == 1 else values for kind, values in kept.items() if values}
