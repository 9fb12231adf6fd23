"""DynamoDB in memory does what moto does, for the requests of the stack."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.delivery.ledger import Claim
from permission_guard.errors import ConflictError, DeliveryBusyError
from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Status
from permission_guard.model.targets import Direction, RoleTarget
from tests.fakes import ACCOUNT, NOW, TABLE
from tests.fuzz.aws import DELIVERIES, ENVIRONMENT, FINDINGS, ORDERS, FakeAws
from tests.fuzz.material import CHECKPOINT, finding_of, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

AT = datetime.fromisoformat(NOW).astimezone(UTC)


def use_tables(dynamodb: Any) -> list[Any]:
    """Use every table as the stack does; return what it answered."""
    findings, ledger = FindingsTable(dynamodb, FINDINGS), DeliveryTable(dynamodb, DELIVERIES)
    functions = FunctionReader(FakeAws().client("lambda"))
    index = RoleIndex(dynamodb, FINDINGS, functions, clock=lambda: 1_000.0)
    target, role, finding = target_of(ORDERS), RoleTarget(ACCOUNT, "orders-role"), finding_of(ORDERS)
    answers: list[Any] = []

    def note(call: Callable[[], Any]) -> Any:
        try:
            answers.append(call())
        except (ConflictError, DeliveryBusyError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            answers.append((type(error).__name__, code))
        return answers[-1]

    def commit(run: Any, *changes: Change) -> Any:
        return findings.commit_check(
            target, Direction.EXECUTION_ROLE, run, CHECKPOINT, changes=changes, unknowns=("one",), now=NOW
        )

    first, second = (note(lambda: findings.start_check(target, Direction.EXECUTION_ROLE)) for _ in range(2))
    note(lambda: commit(second, Change(finding, None)))
    note(lambda: commit(first, Change(finding, 1)))
    note(lambda: commit(second, Change(finding, None)))
    note(lambda: commit(second, Change(finding, 1), Change(finding, 1)))
    note(lambda: findings.put_finding(Change(replace(finding, revision=2, status=Status.RESOLVED), 1)))
    note(lambda: findings.put_finding(Change(finding, 7)))
    note(lambda: findings.findings_of(target))
    note(lambda: findings.finding(target, finding.id))
    note(lambda: findings.finding(target, "missing"))
    note(lambda: findings.put_finding(Change(finding_of(ORDERS, 1), None)))
    note(lambda: list(findings.functions_with_open_findings()))
    answers.extend(findings.take_fix_quota("2026-11-20T09", 2) for _ in range(3))
    answers.append(note(index.rebuild))
    note(lambda: index.functions_of_roles([role]))
    note(lambda: index.functions_of_roles([role, RoleTarget(ACCOUNT, "other")]))
    claim = ledger.claim("1", "sns", 1, AT)
    assert isinstance(claim, Claim)
    note(lambda: ledger.claim("1", "sns", 1, AT))
    note(lambda: ledger.release(replace(claim, token="other")))
    note(lambda: ledger.complete(claim, "reference", AT + timedelta(days=1)))
    note(lambda: ledger.claim("1", "sns", 1, AT))
    later = ledger.claim("1", "sns", 3, AT)
    answers.append(later.reference)
    note(lambda: ledger.complete(claim, None, None))
    after = ledger.claim("1", "sns", 2, AT + timedelta(hours=1))
    answers.append((type(after), after.reference))
    note(lambda: dynamodb.put_item(TableName=FINDINGS, Item={"pk": {"S": ""}, "sk": {"S": "COUNT"}}))
    return answers


def without_time(items: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return items as text, without random tokens and what depends on the current time."""
    volatile = ("locked_by", "expires_at")
    return Counter(json.dumps({k: v for k, v in item.items() if k not in volatile}, sort_keys=True) for item in items)


def test_the_answers_and_the_items_are_those_of_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions that fail and transactions that are cancelled among them."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    aws = FakeAws()
    answers = use_tables(aws.client("dynamodb"))
    with mock_aws():
        moto = boto3.client("dynamodb")
        moto.create_table(**{name: value for name, value in TABLE.items() if name != "StreamSpecification"})
        keys = {"finding_id": "HASH", "channel": "RANGE"}
        moto.create_table(
            TableName=DELIVERIES,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],  # type: ignore[typeddict-item]
        )
        expected = use_tables(moto)
        assert answers == expected
        for table in (FINDINGS, DELIVERIES):
            assert without_time(aws.tables.items[table].values()) == without_time(moto.scan(TableName=table)["Items"])
    assert ("ConflictError", "") in answers
    assert ("DeliveryBusyError", "") in answers
    assert False in answers
