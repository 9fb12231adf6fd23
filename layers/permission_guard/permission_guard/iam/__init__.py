"""The policy language of AWS: documents, `evaluate` as AWS decides, `exposure` of a resource policy.

Pure: neither boto3 nor the environment is read, and it is usable on its own. It imports in a few milliseconds, which is
why its modules set `TYPE_CHECKING` themselves instead of importing `typing`, and have their own `records`.
"""

from __future__ import annotations

from permission_guard.iam.context import ABSENT, UNKNOWN, Context
from permission_guard.iam.decision import Decision, EvalDecision, StatementRef
from permission_guard.iam.documents import Policy, parse_policy, unread_policy
from permission_guard.iam.evaluation import PolicySet, evaluate
from permission_guard.iam.execution_context import LambdaCall, execution_role_context
from permission_guard.iam.exposure import (
    Exposure,
    PrincipalExposure,
    Restriction,
    StatementExposure,
    TrustSet,
    exposure,
)
from permission_guard.iam.invoking import FUNCTION_URL_KEYS
from permission_guard.iam.principals import Principal, PrincipalKind
from permission_guard.iam.request import Request
from permission_guard.iam.scoping import SOURCE_KEYS
from permission_guard.iam.statements import Statement

__all__ = [
    "ABSENT",
    "FUNCTION_URL_KEYS",
    "SOURCE_KEYS",
    "UNKNOWN",
    "Context",
    "Decision",
    "EvalDecision",
    "Exposure",
    "LambdaCall",
    "Policy",
    "PolicySet",
    "Principal",
    "PrincipalExposure",
    "PrincipalKind",
    "Request",
    "Restriction",
    "Statement",
    "StatementExposure",
    "StatementRef",
    "TrustSet",
    "evaluate",
    "execution_role_context",
    "exposure",
    "parse_policy",
    "unread_policy",
]
