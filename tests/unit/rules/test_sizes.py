"""A finding stays small enough for SNS and DynamoDB, whatever the account contains."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Role, Snapshot
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.rules import rules_for
from tests.fakes import ACCOUNT, FUNCTION_ARN, ROLE_ARN, TARGET, a_function, a_policy, a_role, allow, statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict

RULES = rules_for(Direction.EXECUTION_ROLE, TrustSet(frozenset()))
MOST: Final = 100_000
"""Bytes: less than half of an SNS message (256 KB) and a quarter of a DynamoDB item (400 KB)."""
LONGEST_TITLE: Final = 70
SERVICES: Final = [f"service{number}:*" for number in range(400)]


def trusting(*principals: str) -> dict[str, JSON]:
    """Return a trust policy for many principals."""
    return {"Statement": [{"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}]}


def filled(limit: int) -> Mapping[str, JSON]:
    """Return a policy of almost as many characters as IAM accepts."""
    arns = [f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders-{number:04}" for number in range(limit // 65)]
    return {"Version": "2012-10-17", "Statement": [statement("dynamodb:GetItem") | {"Resource": arns}]}


# IAM's maximum is 8,192 characters for a trust policy, and 10,240 for all inline policies of a role together.
ROLES: Final = {
    "trusts-many": replace(a_role(), trust_policy=parse_policy(trusting(*map(str, range(111111111111, 111111111611))))),
    "much-inline": a_role(filled(10_240)),
    "many-services": a_role(allow(*SERVICES)),
    "administrator": a_role(
        allow("*"), attached={f"arn:aws:iam::{ACCOUNT}:policy/{n}": a_policy(allow("iam:*")) for n in range(20)}
    ),
}


def violations(role: Role) -> tuple[Verdict, ...]:
    """Return the violations of a role that a thousand functions share."""
    users = tuple(FunctionTarget("aws", "us-east-1", ACCOUNT, f"{'orders' * 10}-{number}") for number in range(1000))
    snapshot = Snapshot(
        replace(TARGET),
        a_function(),
        versions={FUNCTION_ARN: a_function()},
        roles={ROLE_ARN: role},
        role_users={ROLE_ARN: (TARGET, *users)},
    )
    return evaluate(snapshot, RULES).violations


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_finding_stays_small(role: Role) -> None:
    """The title fits on a few lines, and the finding into a message, an item and a ticket."""
    found = violations(role)
    assert found
    for verdict in found:
        size = len(json.dumps(asdict(verdict)).encode())
        assert size < MOST, (verdict.rule_id, size)
        assert len(verdict.title) < LONGEST_TITLE, verdict.title
