"""The rules. Adding one is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.rules.base import Rule
from permission_guard.rules.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.event_source_token_missing import EventSourceTokenMissing
from permission_guard.rules.invoke_permission_missing import InvokePermissionMissing
from permission_guard.rules.management_granted import ManagementGranted
from permission_guard.rules.principal_deleted import PrincipalDeleted
from permission_guard.rules.public_function_url import PublicFunctionUrl
from permission_guard.rules.public_invoke import PublicInvoke
from permission_guard.rules.source_account_missing import SourceAccountMissing
from permission_guard.rules.source_deleted import SourceDeleted
from permission_guard.rules.source_missing import SourceMissing
from permission_guard.rules.source_never_matches import SourceNeverMatches
from permission_guard.rules.source_too_broad import SourceTooBroad
from permission_guard.rules.untrusted_account import UntrustedAccount

if TYPE_CHECKING:
    from permission_guard.iam import TrustSet
    from permission_guard.model import Scope

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
    EventSourceReadMissing,
)


def rules_for(scope: Scope, trust: TrustSet) -> tuple[Rule, ...]:
    """Return the rules of a scope, with the accounts and organizations that are trusted."""
    return tuple(rule(trust) for rule in RULES if rule.scope is scope)


__all__ = ["RULES", "Rule", "rules_for"]
