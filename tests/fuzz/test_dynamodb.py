"""DynamoDB in memory does what moto does, for the requests of the stack."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.tables.decisions import DecisionTable
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.delivery.ledger import Claim
from permission_guard.errors import ConflictError, DeliveryBusyError, RequestRefusedError
from permission_guard.findings.lifecycle import Change
from permission_guard.fixes.decisions import DecisionKind
from permission_guard.model.findings import Status
from permission_guard.model.targets import Direction, RoleTarget
from permission_guard.sweep.sweep import Cursor, Step
from tests.fakes import ACCOUNT, NOW, TABLE
from tests.fuzz.aws import DECISIONS, DELIVERIES, ENVIRONMENT, FINDINGS, ORDERS, FakeAws
from tests.fuzz.material import CHECKPOINT, decide_on, finding_of, proposed, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

AT = datetime.fromisoformat(NOW).astimezone(UTC)


@dataclass
class Use:
    """Uses a table as the stack does, and notes what it answers."""

    dynamodb: Any
    answers: list[Any] = field(default_factory=list)

    def __call__(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Note the result of a call, or its error."""
        try:
            self.answers.append(call(*arguments))
        except (ConflictError, RequestRefusedError, DeliveryBusyError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            self.answers.append((type(error).__name__, code))
        return self.answers[-1]

    def put(self, sk: str, pk: str = f"FUNCTION#{target_of(ORDERS).arn}", **attributes: Any) -> None:
        """Store an item of the findings table."""
        self(lambda: bool(self.dynamodb.put_item(TableName=FINDINGS, Item=key_of(pk, sk) | attributes)))


def key_of(pk: str, sk: str) -> dict[str, Any]:
    """Return the key of an item of the findings table."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def use_findings(use: Use) -> None:
    """Use the findings and checks."""
    findings, target, finding = FindingsTable(use.dynamodb, FINDINGS), target_of(ORDERS), finding_of(ORDERS)

    def commit(run: Any, *changes: Change) -> Any:
        return findings.commit_check(
            target, Direction.EXECUTION_ROLE, run, CHECKPOINT, changes=changes, unknowns=("one",), now=NOW
        )

    first, second = (use(findings.start_check, target, Direction.EXECUTION_ROLE) for _ in range(2))
    use(commit, second, Change(finding, None))
    use(commit, first, Change(finding, 1))
    use(commit, second, Change(finding, None))
    use(commit, second, Change(finding, 1), Change(finding, 1))
    use.put(f"CHECK#{Direction.EXECUTION_ROLE}", started={"N": "9"}, checkpoint={"N": "1"})
    use(commit, use(findings.start_check, target, Direction.EXECUTION_ROLE))
    use(findings.checkpoint, target, Direction.EXECUTION_ROLE)
    use(findings.put_finding, Change(replace(finding, revision=2, status=Status.RESOLVED), 1))
    use(findings.put_finding, Change(finding, 7))
    use(findings.findings_of, target)
    use(findings.finding, target, finding.id)
    use(findings.finding, target, "missing")
    use(findings.transition, target, finding.id, 2)
    use(findings.put_finding, Change(finding_of(ORDERS, 1), None))
    use(lambda: list(findings.targets_with_open_findings()))
    for fix in ("a#1", "b#1", "a#1", "c#1"):
        use(findings.take_fix_quota, "2026-11-20T09", 2, fix)
    use.put("COUNT", pk="")


def use_decisions(use: Use) -> None:
    """Decide on a proposal."""
    findings = FindingsTable(use.dynamodb, FINDINGS)
    decisions, finding = DecisionTable(use.dynamodb, DECISIONS, findings), proposed(ORDERS, 2)
    use(findings.put_finding, Change(finding, None))
    for kind in (DecisionKind.APPROVE, DecisionKind.APPROVE, DecisionKind.REJECT):
        use(decide_on, finding, kind, findings, decisions, NOW)
    recorded = use(decisions.decision, finding.id, finding.revision)
    use(decisions.record, recorded, Change(finding_of(ORDERS, 3), None))
    use(decisions.decision, finding.id, 7)


def use_index(use: Use) -> None:
    """Use the index of roles, and the cursor of the sweep."""
    functions, role = FunctionReader(FakeAws().client("lambda")), RoleTarget(ACCOUNT, "orders-role")
    index = RoleIndex(use.dynamodb, FINDINGS, functions, clock=lambda: 1_000.0)
    use(index.rebuild)
    use(index.functions_of_roles, [role])
    use(index.functions_of_roles, [role, RoleTarget(ACCOUNT, "other")])
    cursors = SweepCursor(use.dynamodb, FINDINGS)
    use(cursors.move, use(cursors.read), Step.REQUEST_CHECKS, target_of(ORDERS).arn)
    use(cursors.move, Cursor(), Step.REQUEST_CHECKS)
    use.put("CURSOR", pk="SWEEP", revision={"S": "one"})
    use(cursors.move, use(cursors.read), Step.HAND_OVER_FINDINGS)


def use_ledger(use: Use) -> None:
    """Deliver some revisions."""
    ledger = DeliveryTable(use.dynamodb, DELIVERIES)
    claim = ledger.claim("1", "sns", 1, AT)
    assert isinstance(claim, Claim)
    use(ledger.claim, "1", "sns", 1, AT)
    use(ledger.release, replace(claim, token="other"))
    use(ledger.complete, claim, "reference", AT + timedelta(days=1))
    use(ledger.claim, "1", "sns", 1, AT)
    later = ledger.claim("1", "sns", 3, AT)
    use(lambda: later.reference)
    use(ledger.complete, claim, None, None)
    after = ledger.claim("1", "sns", 2, AT + timedelta(hours=1))
    use(lambda: (type(after), after.reference))


def answers_of(dynamodb: Any) -> list[Any]:
    """Use every table; return what it answered."""
    use = Use(dynamodb)
    for part in (use_findings, use_decisions, use_index, use_ledger):
        part(use)
    return use.answers


def without_time(items: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return items as text, without random tokens and what depends on the current time."""
    volatile = ("locked_by", "expires_at")
    return Counter(json.dumps({k: v for k, v in item.items() if k not in volatile}, sort_keys=True) for item in items)


def test_the_answers_and_the_items_are_those_of_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions that fail and transactions that are cancelled among them."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    aws = FakeAws()
    answers = answers_of(aws.client("dynamodb"))
    with mock_aws():
        moto = boto3.client("dynamodb")
        moto.create_table(**{name: value for name, value in TABLE.items() if name != "StreamSpecification"})
        for table, hash_key, range_key, kind in (
            (DELIVERIES, "finding_id", "channel", "S"),
            (DECISIONS, "finding_id", "revision", "N"),
        ):
            moto.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": hash_key, "AttributeType": "S"},
                    {"AttributeName": range_key, "AttributeType": kind},  # type: ignore[typeddict-item]
                ],
                KeySchema=[
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
            )
        expected = answers_of(moto)
        assert answers == expected
        for table in (FINDINGS, DELIVERIES, DECISIONS):
            assert without_time(aws.tables.items[table].values()) == without_time(moto.scan(TableName=table)["Items"])
    assert ("ConflictError", "") in answers
    assert ("DeliveryBusyError", "") in answers
    assert False in answers
