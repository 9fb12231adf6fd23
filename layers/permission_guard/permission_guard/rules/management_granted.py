"""PG109 management-granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import Hold
from permission_guard.iam.arn import is_account_id, parse_arn
from permission_guard.invokers import invoker_of
from permission_guard.model import Severity
from permission_guard.rules.cures import changed, removed, replaced
from permission_guard.rules.statements import Allowed, Complaint, StatementRule, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from permission_guard.iam import PrincipalExposure
    from permission_guard.model import Remedy

CHANGES: Final = (
    "AddPermission",
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
    "PutResourcePolicy",
    "PutRuntimeManagementConfig",
    "RemovePermission",
    "StopDurableExecution",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "UpdateFunctionEventInvokeConfig",
    "UpdateFunctionUrlConfig",
)
"""What changes a function, its versions, aliases, URLs or policy.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

READS: Final = ("GetFunction", "GetFunctionConfiguration", "GetPolicy", "GetResourcePolicy", "GetDurableExecution")
"""What shows a function's code, its environment variables, its policy or what it works on."""

_SHOWN: Final = 5


class ManagementGranted(StatementRule):
    """Allow others to invoke a function, not to change it.

    ## What it flags

    A statement that grants more than invoking: `lambda:*`, changes of the code, the configuration or the policy; and to
    those who are not trusted also reading the code and the configuration, which has the environment variables.

    ## Why it matters

    Whoever may change the code runs what they like with the function's execution role. Whoever may change the policy
    lets in whom they like.

    ## How to fix

    Grant `lambda:InvokeFunction` alone. Let people and pipelines change functions by the policies of their own roles,
    where their account's administrators see it.

    ## Fix safety

    Not fixed automatically: a pipeline may deploy by it.

    ## Limits

    It is critical for anyone and for accounts that are not trusted, high for trusted ones, and medium inside the own
    account and for services, which can hardly use it. The statements with which Lambda@Edge replicates a version pass.
    An action that Lambda does not have grants nothing and passes.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """

    id = "PG109"
    name = "management-granted"
    severity = Severity.CRITICAL

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag grants of anything that changes the function, and to outsiders of what shows it."""
        holders = [item for item in allowed.exposure.principals if _can_use(item)]
        outsiders = [item for item in holders if item.kind != "Service" and item.hold is not Hold.HELD]
        changes, reads = _granted(CHANGES, allowed), _granted(READS, allowed)
        if not holders or not (changes or (reads and outsiders)):
            return "The statement grants nothing but invoking."
        names = changes or reads
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        who = listed(["anyone" if item.value == "*" else item.value for item in holders])
        does = "change" if changes else "read"
        return Complaint(
            title=f"{who[0].upper()}{who[1:]} may {does} {allowed.function}, not only invoke it",
            reason=f"The statement grants {who} {listed([f'lambda:{name}' for name in names[:_SHOWN]])}{more}.",
            impact=(
                "Whoever changes the code runs what they like with the function's execution role; whoever changes the "
                "policy lets in whom they like."
                if changes
                else "The code can be fetched, and the environment variables, which often hold secrets, can be read."
            ),
            severity=_severity(allowed, holders, outsiders, does),
            evidence={"actions": list(allowed.statement.action_texts), "principals": [item.value for item in holders]},
            remedies=_cure(allowed, outsiders),
        )


def _can_use(item: PrincipalExposure) -> bool:
    if item.hold is Hold.NEVER:
        return False
    return item.kind != "Service" or not (invoker_of(item.value).written_by_aws or invoker_of(item.value).has_ended)


def _granted(actions: Iterable[str], allowed: Allowed) -> list[str]:
    return [name for name in actions if allowed.statement.match_action(f"lambda:{name.lower()}") > 0]


def _severity(
    allowed: Allowed, holders: list[PrincipalExposure], outsiders: list[PrincipalExposure], does: str
) -> Severity | None:
    if outsiders:
        return None if does == "change" else Severity.HIGH
    own = allowed.snapshot.target.account
    in_person = [item for item in holders if item.kind != "Service"]
    return Severity.HIGH if any(_account(item.value) != own for item in in_person) else Severity.MEDIUM


def _account(value: str) -> str:
    arn = parse_arn(value)
    return value if is_account_id(value) else arn.account if arn else ""


def _cure(allowed: Allowed, outsiders: list[PrincipalExposure]) -> tuple[Remedy, ...]:
    """Leave the invoking to those who have it and may; take the statement away from everybody else."""
    principals = [item.value for item in allowed.exposure.principals]
    if not allowed.exposure.grants_invoke or outsiders or "NotAction" in allowed.statement.raw:
        return removed(allowed, principals)
    return replaced(allowed, [changed(allowed, "-invoke", Action="lambda:InvokeFunction")], principals)
