"""The rules on who may invoke a function. To add a rule, add its file and a line in `RULES`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.rules.invoke_policy.event_source_token_missing import EventSourceTokenMissing
from permission_guard.rules.invoke_policy.invoke_permission_missing import InvokePermissionMissing
from permission_guard.rules.invoke_policy.management_granted import ManagementGranted
from permission_guard.rules.invoke_policy.policy_size_near_limit import PolicySizeNearLimit
from permission_guard.rules.invoke_policy.principal_deleted import PrincipalDeleted
from permission_guard.rules.invoke_policy.public_function_url import PublicFunctionUrl
from permission_guard.rules.invoke_policy.public_invoke import PublicInvoke
from permission_guard.rules.invoke_policy.source_account_missing import SourceAccountMissing
from permission_guard.rules.invoke_policy.source_deleted import SourceDeleted
from permission_guard.rules.invoke_policy.source_missing import SourceMissing
from permission_guard.rules.invoke_policy.source_never_matches import SourceNeverMatches
from permission_guard.rules.invoke_policy.source_too_broad import SourceTooBroad
from permission_guard.rules.invoke_policy.untrusted_account import UntrustedAccount

if TYPE_CHECKING:
    from permission_guard.rules.base import Rule

RULES: tuple[type[Rule], ...] = (
    PublicInvoke,
    SourceMissing,
    SourceAccountMissing,
    SourceTooBroad,
    SourceNeverMatches,
    UntrustedAccount,
    PublicFunctionUrl,
    EventSourceTokenMissing,
    ManagementGranted,
    SourceDeleted,
    PrincipalDeleted,
    InvokePermissionMissing,
    PolicySizeNearLimit,
)
