"""`permission-guard scan --show-policy` and `--check-access`: what a scan needs, and what of it the caller lacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.text import one_line
from permission_guard.errors import PermissionGuardError
from permission_guard.fixes import all_fixes
from permission_guard.model.access import Decision
from permission_guard.records import record
from permission_guard.reports.findings import counted, new_console
from permission_guard.reports.terminal import echo_error, plain
from permission_guard.sweep.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.bootstrap.scan_places import Caller
    from permission_guard.cli.scan_options import Coverage
    from permission_guard.model.access import Access
    from permission_guard.model.targets import JSON

DENIED, UNKNOWN = 1, 3

_PLANS: Final = frozenset(
    {
        "cloudformation:DescribeStackResources",
        "ec2:DescribeRegions",
        "iam:GetAccountSummary",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "lambda:GetPolicy",
        "lambda:ListFunctions",
        "tag:GetResources",
    }
)
"""What planning reads besides the scan, whichever fix it is."""
_NEEDS_NO_PERMISSION: Final = frozenset({"sts:GetCallerIdentity"})
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""


@record
class AccessOf:
    """What the caller is allowed in an account, or why that could not be found out."""

    account: str
    access: tuple[Access, ...] = ()
    problem: str = ""


def needed_actions(rules: frozenset[str] | None, *, full: bool, plans: bool, all_regions: bool) -> frozenset[str]:
    """Return the IAM actions that a scan calls in each account."""
    needed = Selection(rules, full).actions - _NEEDS_NO_PERMISSION
    if plans:
        fixes = [fix for fix in all_fixes() if rules is None or fix.rule_ids & rules]
        needed |= _PLANS.union(*(fix.reads for fix in fixes)) if fixes else frozenset()
    return needed | ({"ec2:DescribeRegions"} if all_regions else frozenset())


def print_policy(actions: frozenset[str], coverage: Coverage) -> None:
    """Print the IAM policy that a scan needs in each account; on standard error, what the caller needs besides."""
    document: dict[str, JSON] = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PermissionGuardScan",
                "Effect": "Allow",
                "Action": sorted(actions),
                "Resource": "*",
            }
        ],
    }
    new_console().print(plain(json.dumps(document, indent=2)), soft_wrap=True)
    if coverage.role_name is not None:
        accounts = ", ".join(f"arn:aws:iam::{one}:role/{coverage.role_name}" for one in coverage.accounts or ("*",))
        echo_error(
            f"This is the policy of the role {coverage.role_name}. The caller needs sts:AssumeRole on {accounts}"
            f"{', and organizations:ListAccounts' if coverage.organization else ''}."
        )


def check_access(caller: Caller, coverage: Coverage, actions: frozenset[str]) -> int:
    """Print which actions the caller lacks in each account, and which are unknown; return the exit code."""
    try:
        own = caller.identity.account
        accounts = (caller.organization() if coverage.organization else coverage.accounts) or (own,)
        region = coverage.regions[0] if coverage.regions else caller.region
    except PermissionGuardError as error:
        echo_error(str(error))
        return UNKNOWN
    found = [_access_in(caller, account, coverage, region, actions) for account in accounts]
    for one in found:
        _print_access(one)
    access = [each for one in found for each in one.access]
    if any(one.decision is Decision.DENIED for one in access):
        return DENIED
    is_unknown = any(one.problem for one in found) or any(one.decision is Decision.UNKNOWN for one in access)
    return UNKNOWN if is_unknown else 0


def _access_in(caller: Caller, account: str, coverage: Coverage, region: str, actions: frozenset[str]) -> AccessOf:
    try:
        return AccessOf(account, caller.account(account, coverage.role_name).access(region, actions))
    except PermissionGuardError as error:
        return AccessOf(account, problem=str(error))


def _print_access(one: AccessOf) -> None:
    console = new_console()
    if one.problem:
        echo_error(f"{one.account}: {one.problem}")
        return
    denied = _with(one.access, Decision.DENIED)
    unknown = _with(one.access, Decision.UNKNOWN)
    for title, some in (("denied", denied), ("unknown", unknown)):
        for access in some:
            text = one_line(f"{one.account}: {title}: {access.action}: {access.reason}", 1_000)
            console.print(plain(text), soft_wrap=True)
    allowed = len(one.access) - len(denied) - len(unknown)
    console.print(
        plain(
            f"{one.account}: {allowed} of {counted(len(one.access), 'action')} allowed, {len(denied)} denied, "
            f"{len(unknown)} unknown."
        ),
        soft_wrap=True,
    )
    if denied:
        console.print(
            plain(
                "What depends on a denied action is unknown in a scan. Print the policy that allows all of"
                " them with --show-policy."
            ),
            soft_wrap=True,
        )


def _with(access: Sequence[Access], decision: Decision) -> list[Access]:
    return [one for one in access if one.decision is decision]
