"""The findings table: checks are ordered, findings have revisions, and no write overwrites an unread one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from permission_guard.aws.tables.finding_items import KEEP_HISTORY, KEEP_RESOLVED, read_finding
from permission_guard.aws.tables.findings import KEEP_CHECKS, FindingsTable
from permission_guard.errors import ConflictError
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from permission_guard.findings.fit import document_size
from permission_guard.findings.lifecycle import Change
from permission_guard.model import limits
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.targets import Direction, FunctionTarget, NamedRole, RoleTarget
from permission_guard.model.verdicts import finding_id
from tests import aws_limits
from tests.aws_limits import item_size
from tests.fakes import FINDING_ID, FUNCTION_ARN, NOW, OTHER, ROLE_ARN, ROLE_TARGET, TARGET, a_finding
from tests.stack_tables import TABLE, TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

SCOPE = Direction.EXECUTION_ROLE
PK = f"FUNCTION#{FUNCTION_ARN}"


@pytest.fixture
def dynamodb(moto_account: None) -> DynamoDBClient:
    """Return a client of an in-memory DynamoDB that has the table."""
    client = boto3.client("dynamodb")
    client.create_table(**TABLE)
    return client


INTENT = FixRecord(
    name="attach-managed-policy",
    result=FixResult.APPLYING,
    summary="attach it",
    at=NOW,
    attempts=1,
    owner="one",
)


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> FindingsTable:
    """Return the table under test."""
    return FindingsTable(dynamodb, TABLE_NAME)


def item(dynamodb: DynamoDBClient, pk: str, sk: str) -> dict[str, Any]:
    """Return an item as it is stored."""
    return dict(dynamodb.get_item(TableName=TABLE_NAME, Key={"pk": {"S": pk}, "sk": {"S": sk}}).get("Item", {}))


def commit(
    table: FindingsTable,
    run: CheckRun,
    changes: Sequence[Change] = (),
    unknowns: Sequence[str] = (),
    *,
    checkpoint: Checkpoint | None = None,
    now: str = NOW,
) -> bool:
    """Commit a check run; return whether it was written."""
    left = run.checkpoint if checkpoint is None else checkpoint
    return table.commit_check(TARGET, SCOPE, run, left, changes=changes, unknowns=unknowns, now=now)


def many(count: int) -> list[Finding]:
    """Return findings about different subjects."""
    subjects = [f"event-source-mapping/{number}" for number in range(count)]
    return [a_finding(id=finding_id("PG201", FUNCTION_ARN, subject), subject=subject) for subject in subjects]


# ── Checks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_has_the_number_of_those_written_before(table: FindingsTable) -> None:
    """Each function and each scope has its own count."""
    numbers = []
    for _ in range(3):
        run = table.start_check(TARGET, SCOPE)
        numbers.append(run.number)
        assert commit(table, run)
    assert numbers == [0, 1, 2]
    assert table.start_check(TARGET, Direction.INVOKE_POLICY).number == 0
    assert table.start_check(OTHER, SCOPE).number == 0


def test_a_check_starts_with_what_is_recorded(table: FindingsTable) -> None:
    """One read has the checkpoint and the findings."""
    assert commit(table, table.start_check(TARGET, SCOPE), [Change(a_finding(), None)], checkpoint=CHECKPOINT)
    run = table.start_check(TARGET, SCOPE)
    assert (run.checkpoint, run.recorded.findings) == (CHECKPOINT, (a_finding(),))


def test_an_unchanged_check_is_one_read_and_one_conditional_write(moto_account: None) -> None:
    """A sweep checks thousands of functions, and most did not change."""
    client = boto3.client("dynamodb")
    table = FindingsTable(client, TABLE_NAME)
    with Stubber(client) as stubber:
        query = {"TableName": TABLE_NAME, "ConsistentRead": True}
        check = {"sk": {"S": f"CHECK#{SCOPE}"}, "written": {"N": "7"}}
        stubber.add_response(
            "query", {"Items": [check]}, {**query, "KeyConditionExpression": ANY, "ExpressionAttributeValues": ANY}
        )
        stubber.add_response(
            "update_item",
            {},
            {
                "TableName": TABLE_NAME,
                "Key": {"pk": {"S": PK}, "sk": {"S": f"CHECK#{SCOPE}"}},
                "UpdateExpression": ANY,
                "ConditionExpression": "written = :before",
                "ExpressionAttributeNames": ANY,
                "ExpressionAttributeValues": ANY,
            },
        )
        assert commit(table, table.start_check(TARGET, SCOPE))
        stubber.assert_no_pending_responses()


def test_a_check_is_written_with_its_changes_time_and_unknowns(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """The item of the check has its time and its unknown outcomes for the operator."""
    run = table.start_check(TARGET, SCOPE)
    assert commit(table, run, [Change(a_finding(), None)], ["PG201: denied"])
    assert table.findings_of(TARGET).findings == (a_finding(),)
    check = item(dynamodb, PK, "CHECK#execution_role")
    assert (check["written"], check["schema"], check["checked_at"]) == ({"N": "1"}, {"N": "1"}, {"S": NOW})
    assert check["unknowns"] == {"L": [{"S": "PG201: denied"}]}


def test_a_check_expires_if_no_later_one_is_written(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Every check extends the expiry: the sweep checks existing functions twice a day."""
    later = (datetime.fromisoformat(NOW) + timedelta(days=1)).isoformat()
    for now in (NOW, later):
        assert commit(table, table.start_check(TARGET, SCOPE), now=now)
        expires = int(item(dynamodb, PK, "CHECK#execution_role")["expires_at"]["N"])
        assert expires == int((datetime.fromisoformat(now) + KEEP_CHECKS).timestamp())
    table.start_check(TARGET, SCOPE)
    assert "expires_at" in item(dynamodb, PK, "CHECK#execution_role")


def test_a_check_without_changes_is_written_too(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Its time shows that the function was checked. Long lists of unknowns are truncated."""
    run = table.start_check(TARGET, SCOPE)
    assert commit(table, run, unknowns=[f"unknown {n}" for n in range(50)])
    assert len(item(dynamodb, PK, "CHECK#execution_role")["unknowns"]["L"]) == 20


def test_an_overtaken_check_writes_nothing(table: FindingsTable) -> None:
    """Neither the check nor its findings are written."""
    older, newer = table.start_check(TARGET, SCOPE), table.start_check(TARGET, SCOPE)
    assert commit(table, newer)
    for changes in ([Change(a_finding(), None)], []):
        assert not commit(table, older, changes)
    assert table.findings_of(TARGET).findings == ()


def test_a_check_is_written_once(table: FindingsTable) -> None:
    """After a lost reply the caller cannot know who wrote: it checks again, and finds what is recorded."""
    run = table.start_check(TARGET, SCOPE)
    assert commit(table, run, [Change(a_finding(), None)])
    assert not commit(table, run, [Change(a_finding(), None)])
    assert table.start_check(TARGET, SCOPE).recorded.findings == (a_finding(),)


def test_a_conflict_changes_nothing(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """The write is atomic: the finding without a conflict is not written either."""
    first, second = many(2)
    table.put_finding(Change(first, None))
    run = table.start_check(TARGET, SCOPE)
    moved = replace(first, status=Status.RESOLVED, revision=8)
    with pytest.raises(ConflictError):
        commit(table, run, [Change(moved, 7), Change(second, None)])
    assert table.findings_of(TARGET).findings == (first,)
    assert table.start_check(TARGET, SCOPE).number == 0


def test_a_finding_that_was_opened_meanwhile_is_a_conflict(table: FindingsTable) -> None:
    """A new finding must not overwrite an existing one."""
    table.put_finding(Change(a_finding(), None))
    with pytest.raises(ConflictError):
        commit(table, table.start_check(TARGET, SCOPE), [Change(a_finding(reason="Another."), None)])


def test_more_changes_than_fit_a_transaction_are_all_written(table: FindingsTable) -> None:
    """A function may have hundreds of mappings that fail when its role loses a policy."""
    findings = many(250)
    run = table.start_check(TARGET, SCOPE)
    assert commit(table, run, [Change(finding, None) for finding in findings])
    assert {finding.id for finding in table.findings_of(TARGET).findings} == {finding.id for finding in findings}


def test_concurrent_transactions_are_a_conflict_and_other_errors_are_raised(moto_account: None) -> None:
    """DynamoDB returns TransactionConflict if two transactions write the same item at once."""
    client = boto3.client("dynamodb")
    table = FindingsTable(client, TABLE_NAME)
    for reasons, error in (
        ([{"Code": "None"}, {"Code": "TransactionConflict"}], ConflictError),
        ([{"Code": "TransactionConflict"}, {"Code": "None"}], ConflictError),
        ([{"Code": "None"}, {"Code": "ProvisionedThroughputExceeded"}], ClientError),
        ([{"Code": "None"}, {"Code": "ValidationError"}], ClientError),
    ):
        with Stubber(client) as stubber:
            stubber.add_client_error(
                "transact_write_items",
                "TransactionCanceledException",
                modeled_fields={"CancellationReasons": reasons},
            )
            with pytest.raises(error):
                commit(table, CheckRun(1), [Change(a_finding(), None)])


# ── Findings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_is_read_as_it_was_written(table: FindingsTable) -> None:
    """A finding is identified by its function and its id."""
    table.put_finding(Change(a_finding(), None))
    assert table.finding(TARGET, FINDING_ID) == a_finding()
    assert table.finding(TARGET, "other") is None
    assert table.finding(OTHER, FINDING_ID) is None


def test_findings_of_aliases_are_stored_with_their_function(table: FindingsTable) -> None:
    """The deletion of a function then resolves all of them. Findings of other functions are not included."""
    alias = a_finding(id="alias", function_arn=f"{FUNCTION_ARN}:live")
    longer = FunctionTarget("aws", "us-east-1", "123456789012", "orders-2")
    for finding in (a_finding(), alias, a_finding(id="longer", function_arn=longer.arn)):
        table.put_finding(Change(finding, None))
    assert {finding.id for finding in table.findings_of(TARGET).findings} == {FINDING_ID, "alias"}
    assert table.finding(TARGET, "alias") == alias


def test_findings_that_do_not_fit_a_page_are_all_read(table: FindingsTable) -> None:
    """DynamoDB limits a page to one megabyte."""
    for finding in many(12):
        table.put_finding(Change(replace(finding, evidence={"statement": "x" * 100_000}), None))
    assert len(table.findings_of(TARGET).findings) == 12


def test_a_check_that_is_written_while_another_is_is_a_conflict(moto_account: None) -> None:
    """DynamoDB rejects the update for a moment: the caller reads and reconciles again."""
    client = boto3.client("dynamodb")
    table = FindingsTable(client, TABLE_NAME)
    with Stubber(client) as stubber:
        stubber.add_client_error("update_item", "TransactionConflictException", "ongoing", 400)
        with pytest.raises(ConflictError, match="is being written"):
            commit(table, CheckRun(1))
        stubber.add_client_error("update_item", "AccessDeniedException", "no", 400)
        with pytest.raises(client.exceptions.ClientError):
            commit(table, CheckRun(1))


def test_findings_are_read_consistently(moto_account: None) -> None:
    """An eventually consistent read would compare the check with an old finding."""
    client = boto3.client("dynamodb")
    table = FindingsTable(client, TABLE_NAME)
    with Stubber(client) as stubber:
        key = {"pk": {"S": PK}, "sk": {"S": f"FINDING#{FINDING_ID}"}}
        stubber.add_response("get_item", {}, {"TableName": TABLE_NAME, "Key": key, "ConsistentRead": True})
        query = {"TableName": TABLE_NAME, "ConsistentRead": True}
        stubber.add_response(
            "query", {"Items": []}, {**query, "KeyConditionExpression": ANY, "ExpressionAttributeValues": ANY}
        )
        assert table.finding(TARGET, FINDING_ID) is None
        assert table.findings_of(TARGET).findings == ()
        stubber.assert_no_pending_responses()


def test_the_second_of_two_concurrent_writes_is_a_conflict(table: FindingsTable) -> None:
    """Both writers had read revision 1."""
    table.put_finding(Change(a_finding(), None))
    logged = a_finding(revision=2, transition=Transition.FIX_PROPOSED)
    table.put_finding(Change(logged, 1))
    with pytest.raises(ConflictError):
        table.put_finding(Change(a_finding(revision=2, status=Status.RESOLVED), 1))
    assert table.finding(TARGET, FINDING_ID) == logged


def test_a_check_never_overwrites_a_fix_that_started_after_it_read(table: FindingsTable) -> None:
    """The start of a fix does not change the revision, but its record must not be lost."""
    table.put_finding(Change(a_finding(), None))
    run = a_finding(fix=INTENT)
    table.put_finding(Change(run, 1, expected_owner=""))
    resolved = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2)
    for write in (
        lambda: table.put_finding(Change(resolved, 1)),
        lambda: commit(table, table.start_check(TARGET, SCOPE), [Change(resolved, 1)]),
    ):
        with pytest.raises(ConflictError):
            write()
    assert table.finding(TARGET, FINDING_ID) == run
    applied = replace(run, fix=replace(INTENT, result=FixResult.APPLIED), revision=2)
    table.put_finding(Change(applied, 1))
    assert commit(table, table.start_check(TARGET, SCOPE), [Change(replace(applied, revision=3), 2)])


def test_of_two_invocations_one_owns_a_fix(table: FindingsTable) -> None:
    """Both had read the finding without a fix, and after a crash both had read the former owner."""
    table.put_finding(Change(a_finding(), None))
    for before, first, second in (("", "one", "two"), ("one", "three", "four")):
        table.put_finding(Change(a_finding(fix=replace(INTENT, owner=first)), 1, expected_owner=before))
        with pytest.raises(ConflictError):
            table.put_finding(Change(a_finding(fix=replace(INTENT, owner=second)), 1, expected_owner=before))
    held = table.finding(TARGET, FINDING_ID)
    assert held is not None
    assert held.fix is not None
    assert held.fix.owner == "three"


def test_a_transition_is_an_item_of_its_own(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """It stays as it was, whatever happens to the finding after it, and expires. Other writes leave none."""
    table.put_finding(Change(a_finding(), None))
    table.put_finding(Change(a_finding(reason="Other words."), 1))
    resolved = a_finding(status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2)
    assert commit(table, table.start_check(TARGET, SCOPE), [Change(resolved, 1)])
    assert table.transition(TARGET, FINDING_ID, 1) == a_finding()
    assert table.transition(TARGET, FINDING_ID, 2) == table.finding(TARGET, FINDING_ID) == resolved
    assert table.transition(TARGET, FINDING_ID, 3) is None
    assert table.findings_of(TARGET).findings == (resolved,)
    expires = datetime.fromtimestamp(int(item(dynamodb, PK, f"HISTORY#{FINDING_ID}#1")["expires_at"]["N"]), UTC)
    assert expires == datetime.fromisoformat(NOW).replace(microsecond=0) + KEEP_HISTORY


def test_a_conflict_leaves_no_transition(table: FindingsTable) -> None:
    """Finding and transition are written together or not at all."""
    table.put_finding(Change(a_finding(), None))
    with pytest.raises(ConflictError):
        table.put_finding(Change(a_finding(revision=3), 2))
    assert table.transition(TARGET, FINDING_ID, 3) is None


def test_an_expired_finding_is_not_written_again(table: FindingsTable) -> None:
    """It expired after the writer had read it."""
    with pytest.raises(ConflictError):
        table.put_finding(Change(a_finding(revision=2), 1))


def test_resolved_findings_expire_and_open_ones_do_not(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """The time to live is set when a finding resolves and removed when it reopens."""
    sk = f"FINDING#{FINDING_ID}"
    table.put_finding(Change(a_finding(), None))
    assert "expires_at" not in item(dynamodb, PK, sk)
    table.put_finding(Change(a_finding(status=Status.RESOLVED, revision=2), 1))
    expires = datetime.fromtimestamp(int(item(dynamodb, PK, sk)["expires_at"]["N"]), UTC)
    assert expires == datetime.fromisoformat(NOW).replace(microsecond=0) + KEEP_RESOLVED
    table.put_finding(Change(a_finding(status=Status.OPEN, revision=3), 2))
    assert "expires_at" not in item(dynamodb, PK, sk)


def test_the_item_has_what_the_index_and_the_stream_need(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """It has the document in the form of the schema too."""
    table.put_finding(Change(a_finding(), None))
    stored = item(dynamodb, PK, f"FINDING#{FINDING_ID}")
    assert (stored["status"], stored["changed_at"], stored["revision"]) == ({"S": "open"}, {"S": NOW}, {"N": "1"})
    assert json.loads(stored["document"]["S"]) == a_finding().to_document()
    assert read_finding(stored) == a_finding()


@pytest.mark.parametrize(
    "change", [{"id": "other"}, {"function_arn": OTHER.arn}, {"function_arn": "orders"}, {"function_arn": "\x00"}]
)
def test_a_finding_under_the_key_of_another_cannot_be_read(
    table: FindingsTable, dynamodb: DynamoDBClient, change: dict[str, str]
) -> None:
    """A check would write it to its own key: to another function, or fail each time."""
    table.put_finding(Change(a_finding(), None))
    stored = item(dynamodb, PK, f"FINDING#{FINDING_ID}")
    document = json.dumps({**a_finding().to_document(), **change})
    dynamodb.put_item(TableName=TABLE_NAME, Item={**stored, "document": {"S": document}})
    assert table.findings_of(TARGET).findings == ()
    assert table.findings_of(TARGET).unreadable == table.start_check(TARGET, SCOPE).recorded.unreadable == {FINDING_ID}


def test_a_write_that_fails_for_another_reason_is_an_error(moto_account: None) -> None:
    """A missing table is neither a conflict nor a used-up quota."""
    table = FindingsTable(boto3.client("dynamodb"), "missing")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        table.put_finding(Change(a_finding(), None))
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        table.take_fix_quota("2026-11-20T09", 1, "one#1")


# ── Open findings and fixes per hour ────────────────────────────────────────────────────────────────────────────────


def test_targets_with_open_findings_are_listed_once_each(table: FindingsTable) -> None:
    """Findings of aliases and suppressed findings count; resolved findings do not."""
    for finding in (
        *many(2),
        a_finding(id="alias", function_arn=f"{OTHER.arn}:live"),
        a_finding(id="resolved", function_arn=f"{FUNCTION_ARN}-resolved", status=Status.RESOLVED),
        a_finding(id="suppressed", function_arn=f"{FUNCTION_ARN}-suppressed", status=Status.SUPPRESSED),
        a_finding(id="suppressed", status=Status.SUPPRESSED),
        a_finding(id="role", function_arn="", role_arn=ROLE_ARN),
    ):
        table.put_finding(Change(finding, None))
    suppressed = FunctionTarget("aws", "us-east-1", "123456789012", "orders-suppressed")
    assert set(table.targets_with_open_findings()) == {OTHER, TARGET, suppressed, NamedRole(ROLE_ARN)}


def test_each_hour_has_its_own_quota_of_fixes(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """The same fix counts once: two invocations can have its event. The counter expires after some days."""
    fixes = ["one#1", "one#1", "two#1", "three#1", "one#2", "two#1"]
    taken = [table.take_fix_quota("2026-11-20T09", 2, fix) for fix in fixes]
    assert taken == [True, True, True, False, False, True]
    assert table.take_fix_quota("2026-11-20T10", 2, "three#1")
    count = item(dynamodb, "FIXES#2026-11-20T09", "COUNT")
    assert sorted(count["fixes"]["SS"]) == ["one#1", "two#1"]
    expires = datetime.fromtimestamp(int(count["expires_at"]["N"]), UTC)
    assert datetime.now(UTC) + timedelta(hours=2) < expires < datetime.now(UTC) + timedelta(days=3)


# ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────────────────

CHECKPOINT = Checkpoint(roles=frozenset({ROLE_TARGET}))


def index_of(dynamodb: DynamoDBClient) -> list[str]:
    """Return the entries of the role index that do not expire."""
    items = dynamodb.scan(TableName=TABLE_NAME)["Items"]
    return [item["sk"]["S"] for item in items if item["pk"]["S"] == "ROLES" and "expires_at" not in item]


def test_a_check_reads_the_checkpoint_of_the_last_one(table: FindingsTable) -> None:
    """The first check has no checkpoint."""
    first = table.start_check(TARGET, SCOPE)
    assert first.checkpoint == Checkpoint()
    assert commit(table, first, checkpoint=CHECKPOINT)
    assert table.start_check(TARGET, SCOPE).checkpoint == CHECKPOINT
    assert table.start_check(TARGET, Direction.INVOKE_POLICY).checkpoint == Checkpoint()


def test_a_check_that_started_from_an_older_checkpoint_is_not_written(table: FindingsTable) -> None:
    """Both started before either was written, so the second does not know the findings of the first."""
    first, second = table.start_check(TARGET, SCOPE), table.start_check(TARGET, SCOPE)
    assert commit(table, first, checkpoint=CHECKPOINT)
    assert not commit(table, second, checkpoint=Checkpoint())
    assert table.start_check(TARGET, SCOPE).checkpoint == CHECKPOINT


@pytest.mark.parametrize(
    "kept", ['{"of": "another version"}', "", json.dumps(json.loads(CHECKPOINT.to_json()), indent=1)]
)
def test_a_checkpoint_of_another_version_does_not_block_checks(
    table: FindingsTable, dynamodb: DynamoDBClient, kept: str
) -> None:
    """A check that started from it is written, whether it could be read or not."""
    key = {"pk": {"S": PK}, "sk": {"S": f"CHECK#{SCOPE}"}}
    dynamodb.put_item(TableName=TABLE_NAME, Item={**key, "checkpoint": {"S": kept}})
    assert commit(table, table.start_check(TARGET, SCOPE), checkpoint=CHECKPOINT)
    assert table.start_check(TARGET, SCOPE).checkpoint == CHECKPOINT
    assert commit(table, table.start_check(TARGET, SCOPE), checkpoint=Checkpoint())


@pytest.mark.parametrize("kept", [{}, {"written": {"S": "7"}}, {"written": {"N": "0"}}, {"started": {"N": "9"}}])
def test_a_count_that_cannot_be_read_is_replaced(
    table: FindingsTable, dynamodb: DynamoDBClient, kept: dict[str, AttributeValueTypeDef]
) -> None:
    """No damaged item stops the checks of its function."""
    dynamodb.put_item(TableName=TABLE_NAME, Item={"pk": {"S": PK}, "sk": {"S": f"CHECK#{SCOPE}"}, **kept})
    assert commit(table, table.start_check(TARGET, SCOPE))
    assert table.start_check(TARGET, SCOPE).number == 1


def test_the_role_index_is_written_together_with_the_check(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Roles no longer used are removed. A check that is not written leaves the index unchanged."""
    assert commit(table, table.start_check(TARGET, SCOPE), checkpoint=CHECKPOINT)
    assert index_of(dynamodb) == [f"ROLE#{ROLE_TARGET.account}/{ROLE_TARGET.name}#{FUNCTION_ARN}"]
    stale = table.start_check(TARGET, SCOPE)
    other = RoleTarget(ROLE_TARGET.account, "another")
    assert commit(table, table.start_check(TARGET, SCOPE), checkpoint=replace(CHECKPOINT, roles=frozenset({other})))
    assert not commit(table, stale, checkpoint=replace(CHECKPOINT, roles=frozenset()))
    assert index_of(dynamodb) == [f"ROLE#{other.account}/another#{FUNCTION_ARN}"]


def test_a_check_with_more_changes_than_fit_a_transaction_is_written_with_its_checkpoint(table: FindingsTable) -> None:
    """The later transactions find the checkpoint that the first one wrote."""
    changes = [Change(finding, None) for finding in many(250)]
    assert commit(table, table.start_check(TARGET, SCOPE), changes, checkpoint=CHECKPOINT)
    assert len(table.findings_of(TARGET).findings) == 250
    assert table.start_check(TARGET, SCOPE).checkpoint == CHECKPOINT


# ── Large and unreadable items ──────────────────────────────────────────────────────────────────────────────────────


def test_transactions_are_cut_by_bytes(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """A hundred findings at the limit of a document are more than one transaction accepts."""
    aws_limits.enforce(dynamodb)
    bare = document_size(a_finding(evidence={"a": ""}))
    large = {"a": "x" * (limits.FINDING_DOCUMENT - bare - 100)}
    findings = [replace(finding, evidence=large) for finding in many(60)]
    assert commit(table, table.start_check(TARGET, SCOPE), [Change(finding, None) for finding in findings])
    assert {finding.id for finding in table.findings_of(TARGET).findings} == {finding.id for finding in findings}


def test_unknowns_do_not_make_a_check_too_large(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """Their reasons quote AWS's messages, which quote the names in requests."""
    commit(table, table.start_check(TARGET, SCOPE), unknowns=["x" * 50_000] * 100)
    assert item_size(item(dynamodb, PK, f"CHECK#{SCOPE}")) < 30_000


@pytest.mark.parametrize("document", ["[" * 100_000, "null", "{", '{"id": 1}', '{"remedies": 5}'])
def test_a_finding_that_cannot_be_read_is_named_and_the_others_are_read(
    table: FindingsTable, dynamodb: DynamoDBClient, document: str
) -> None:
    """A newer version wrote it, or somebody with access to the table."""
    first, second = many(2)
    commit(table, table.start_check(TARGET, SCOPE), [Change(first, None), Change(second, None)])
    key = {"pk": {"S": PK}, "sk": {"S": f"FINDING#{first.id}"}}
    dynamodb.update_item(
        TableName=TABLE_NAME,
        Key=key,
        UpdateExpression="SET document = :text",
        ExpressionAttributeValues={":text": {"S": document}},
    )
    assert table.findings_of(TARGET).findings == (second,)
    assert table.findings_of(TARGET).unreadable == {first.id}
    assert table.findings_of(OTHER).unreadable == frozenset()


def test_items_of_others_are_not_listed(table: FindingsTable, dynamodb: DynamoDBClient) -> None:
    """An item whose key is no function does not stop the sweep."""
    commit(table, table.start_check(TARGET, SCOPE), [Change(a_finding(), None)])
    for pk in ("FUNCTION#nothing", "else"):
        dynamodb.put_item(
            TableName=TABLE_NAME,
            Item={"pk": {"S": pk}, "sk": {"S": "x"}, "status": {"S": "open"}, "changed_at": {"S": NOW}},
        )
    assert list(table.targets_with_open_findings()) == [TARGET]
