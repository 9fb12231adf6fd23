"""The stack's own requests to its tables get the same answers from every implementation."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.tables.decisions import DecisionTable
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.aws.tables.quotas import QuotaTable
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.aws.tables.sweep_cursor import SweepCursor
from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from permission_guard.aws.tables.waiting_for_tickets import WaitingForTicketsTable
from permission_guard.config.document import AlertLimit, TicketLimit
from permission_guard.delivery.ledger import Claim
from permission_guard.delivery.tickets.summary import WaitingEnd, WaitingForTicket
from permission_guard.delivery.waiting import waiting_finding
from permission_guard.errors import ConflictError, DeliveryBusyError, RequestRefusedError
from permission_guard.findings.lifecycle import Change
from permission_guard.fixes.decisions import DecisionKind
from permission_guard.model.findings import Status
from permission_guard.model.targets import Direction, RoleTarget
from permission_guard.sweep.sweep import Cursor, Step
from tests.contracts.implementations import InMemory, unique
from tests.fakes import ACCOUNT, NOW
from tests.fuzz.aws import ORDERS, FakeAws
from tests.fuzz.material import CHECKPOINT, decide_on, finding_of, proposed, target_of
from tests.stack_tables import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.contracts.implementations import Aws

AT = datetime.fromisoformat(NOW).astimezone(UTC)


@dataclass(frozen=True)
class Tables:
    """The names of the stack's tables, and their client."""

    dynamodb: Any
    findings: str
    deliveries: str
    decisions: str


@dataclass
class Use:
    """Uses the tables as the stack does, and notes what they answer."""

    tables: Tables
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
        item = key_of(pk, sk) | attributes
        self(lambda: bool(self.tables.dynamodb.put_item(TableName=self.tables.findings, Item=item)))


def key_of(pk: str, sk: str) -> dict[str, Any]:
    """Return the key of an item of the findings table."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def use_findings(use: Use) -> None:
    """Use the findings and checks."""
    findings, target, finding = (
        FindingsTable(use.tables.dynamodb, use.tables.findings),
        target_of(ORDERS),
        finding_of(ORDERS),
    )

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
    findings = FindingsTable(use.tables.dynamodb, use.tables.findings)
    decisions, finding = DecisionTable(use.tables.dynamodb, use.tables.decisions, findings), proposed(ORDERS, 2)
    use(findings.put_finding, Change(finding, None))
    for kind in (DecisionKind.APPROVE, DecisionKind.APPROVE, DecisionKind.REJECT):
        use(decide_on, finding, kind, findings, decisions, NOW)
    recorded = use(decisions.decision, finding.id, finding.revision)
    use(decisions.record, recorded, Change(finding_of(ORDERS, 3), None))
    use(decisions.decision, finding.id, 7)


def use_index(use: Use) -> None:
    """Use the index of roles, and the cursor of the sweep."""
    functions, role = FunctionReader(FakeAws().client("lambda")), RoleTarget(ACCOUNT, "orders-role")
    index = RoleIndex(use.tables.dynamodb, use.tables.findings, functions, clock=lambda: 1_000.0)
    use(index.rebuild)
    use(index.functions_of_roles, [role])
    use(index.functions_of_roles, [role, RoleTarget(ACCOUNT, "other")])
    cursors = SweepCursor(use.tables.dynamodb, use.tables.findings)
    use(cursors.move, use(cursors.read), Step.REQUEST_CHECKS, target_of(ORDERS).arn)
    use(cursors.move, Cursor(), Step.REQUEST_CHECKS)
    use.put("CURSOR", pk="SWEEP", revision={"S": "one"})
    use(cursors.move, use(cursors.read), Step.HAND_OVER_FINDINGS)


def use_ledger(use: Use) -> None:
    """Deliver some revisions."""
    ledger = DeliveryTable(use.tables.dynamodb, use.tables.deliveries)
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


def use_waiting_list(use: Use) -> None:
    """Count new tickets, and let findings wait."""
    table, limit = WaitingForTicketsTable(use.tables.dynamodb, use.tables.deliveries), TicketLimit(tickets=2)
    for finding_id in ("1", "2", "1", "3"):
        use(table.take, "ticket:opsitem", finding_id, limit, AT)
    first, second = (WaitingForTicket.of(finding_of(ORDERS, number), AT) for number in (1, 2))
    use(table.end, "ticket:opsitem", first.finding_id, WaitingEnd.TICKET, AT)
    for one in (first, first, second):
        use(table.begin, "ticket:opsitem", one)
    for _ in range(2):
        use(table.end, "ticket:opsitem", first.finding_id, WaitingEnd.TICKET, AT)
    use(table.findings, "ticket:opsitem", AT)
    use(table.begin, "ticket:opsitem", first)
    use(table.findings, "ticket:opsitem", AT)
    use(table.findings, "ticket:shop", AT)


def use_limits(use: Use) -> None:
    """Count messages, let findings wait, and remove them."""
    quota = QuotaTable(use.tables.dynamodb, use.tables.deliveries)
    waiting = WaitingForDigestsTable(use.tables.dynamodb, use.tables.deliveries, wait=lambda _seconds: None)
    ledger = DeliveryTable(use.tables.dynamodb, use.tables.deliveries)
    limit = AlertLimit(messages=2, minutes=10)
    for spare in (1, 1, 0, 0):
        use(lambda spare=spare: quota.take("slack", limit, AT, spare=spare))
    use(waiting.channels)
    for number in (1, 2, 3):
        finding = finding_of(ORDERS, number)
        claim = ledger.claim(finding.id, "slack", 1, AT)
        assert isinstance(claim, Claim)
        use(waiting.postpone, claim, waiting_finding(finding, None), AT)
        use(waiting.postpone, claim, waiting_finding(finding, None), AT)
    use(waiting.channels)
    use(waiting.item, "slack", "missing")
    use(waiting.item, "slack", finding_of(ORDERS, 1).id)
    items = use(waiting.items, "slack")
    claim = ledger.claim("WAITING", "slack", 1, AT)
    assert isinstance(claim, Claim)
    use(waiting.sent, replace(claim, token="other"), items[:1])
    use(waiting.sent, claim, [replace(items[0], stored={"S": "{}"}), items[1]])
    use(waiting.items, "slack")
    use(waiting.sent, claim, [items[1]])


def without_time(items: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return items as text, without random tokens and what depends on the current time."""
    volatile = ("locked_by", "expires_at")
    return Counter(json.dumps({k: v for k, v in item.items() if k not in volatile}, sort_keys=True) for item in items)


def make_tables(aws: Aws) -> Tables:
    """Make the tables of the stack."""
    dynamodb = aws.client("dynamodb")
    schemas = {
        "deliveries": (("finding_id", "S"), ("channel", "S")),
        "decisions": (("finding_id", "S"), ("revision", "N")),
    }
    names = {name: unique(name) for name in ("findings", *schemas)}
    dynamodb.create_table(**{**TABLE, "TableName": names["findings"]})
    for name, (hash_key, range_key) in schemas.items():
        dynamodb.create_table(
            TableName=names[name],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in (hash_key, range_key)],
            KeySchema=[
                {"AttributeName": hash_key[0], "KeyType": "HASH"},
                {"AttributeName": range_key[0], "KeyType": "RANGE"},
            ],
        )
    return Tables(dynamodb, **names)


def used(aws: Aws) -> tuple[list[Any], list[Counter[str]]]:
    """Use every table; return what it answered, and the items of each table."""
    tables = make_tables(aws)
    use = Use(tables)
    for part in (use_findings, use_decisions, use_index, use_ledger, use_waiting_list, use_limits):
        part(use)
    names = (tables.findings, tables.deliveries, tables.decisions)
    return use.answers, [without_time(tables.dynamodb.scan(TableName=name)["Items"]) for name in names]


@pytest.mark.parametrize("aws", ["moto", "ministack"], indirect=True)
def test_the_stack_gets_the_answers_that_it_gets_in_memory(aws: Aws) -> None:
    """The items are the same afterwards. Conditions that fail and transactions that are cancelled are among them."""
    answers, items = used(InMemory())

    assert used(aws) == (answers, items)
    assert ("ConflictError", "") in answers
    assert ("DeliveryBusyError", "") in answers
    assert False in answers
