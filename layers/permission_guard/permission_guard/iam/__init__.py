"""The IAM policy language: policy documents, `evaluate()` for one request, `exposure()` for a resource-based policy.

Pure: it uses neither boto3 nor the environment, and works without the rest of the package. It imports in a few
milliseconds: its modules define `TYPE_CHECKING` instead of importing `typing`, and use the package's own `records`
instead of `dataclasses`.
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
    StatementExposure,
    exposure,
)
from permission_guard.iam.invoking import FUNCTION_URL_KEYS
from permission_guard.iam.principals import Principal, PrincipalKind
from permission_guard.iam.request import Request
from permission_guard.iam.restrictions import Restriction, TrustSet
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
