"""The command that replaces one statement of a policy, run in bash with a stand-in for the AWS CLI."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import ResourcePolicy, Snapshot
from permission_guard.model.targets import Direction
from permission_guard.remedies.statement_replacement import replace_statements
from permission_guard.rules import rules_for
from tests import shell
from tests.fakes import FUNCTION_ARN, TARGET, a_function

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = 'it\'s $(id) `id` "${x}" \\ \n;\u2028 ö 🎉 !'
NARROW = {"Sid": "narrow", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "lambda:*"}


def statement(sid: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a statement, without a Sid by default."""
    named = {} if sid is None else {"Sid": sid}
    return {**named, "Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": FUNCTION_ARN, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy in the older version, with an Id."""
    return {"Version": "2008-10-17", "Id": "default", "Statement": list(statements)}


@pytest.mark.parametrize(
    "old",
    [
        statement(),
        statement("wide"),
        statement(HOSTILE),
        statement("wide", Condition={"StringLike": {"aws:SourceArn": [HOSTILE, "$HOME", "*"]}}),
        statement("--policy"),
    ],
    ids=range(5),
)
def test_only_the_statement_is_replaced(tmp_path: Path, old: dict[str, Any]) -> None:
    """Whatever its texts are; the other statements, the version and the Id of the policy stay."""
    before = policy(statement("first"), old, statement("wide", Action="lambda:InvokeFunction"))
    ran = shell.change_policy(replace_statements(FUNCTION_ARN, [old], [NARROW]), FUNCTION_ARN, before, tmp_path)
    assert (ran.code, ran.errors) == (0, "")
    assert ran.policy == policy(before["Statement"][0], before["Statement"][2], NARROW)
    assert [call[1] for call in ran.calls] == ["get-resource-policy", "put-resource-policy"]


def test_the_statement_is_found_whatever_the_order_of_its_elements(tmp_path: Path) -> None:
    """A JSON object has no order. A single statement need not be in a list."""
    old = statement("wide")
    before = {**policy(), "Statement": dict(reversed(old.items()))}
    ran = shell.change_policy(replace_statements(FUNCTION_ARN, [old], [NARROW]), FUNCTION_ARN, before, tmp_path)
    assert ran.policy == policy(NARROW)


def test_all_copies_of_the_statement_are_replaced_once(tmp_path: Path) -> None:
    """A copy grants the same. A statement with the same Sid that differs stays."""
    other = statement("wide", Action="lambda:InvokeFunction")
    before = policy(statement("wide"), other, statement("wide"))
    command = replace_statements(FUNCTION_ARN, [statement("wide")], [NARROW])
    assert shell.change_policy(command, FUNCTION_ARN, before, tmp_path).policy == policy(other, NARROW)


@pytest.mark.parametrize(
    "present",
    [
        [statement("other")],
        [statement("wide", Action="lambda:InvokeFunction")],
        [statement("wide", Condition={"Bool": {"aws:SecureTransport": 1}})],
        [],
    ],
    ids=range(4),
)
def test_nothing_is_changed_if_the_statement_was_replaced_or_changed(tmp_path: Path, present: list[Any]) -> None:
    """The command fails with a plain message. JSON's `true` is not 1."""
    old = statement("wide", Condition={"Bool": {"aws:SecureTransport": True}})
    command = replace_statements(FUNCTION_ARN, [old], [NARROW])
    ran = shell.change_policy(command, FUNCTION_ARN, policy(*present), tmp_path)
    assert (ran.code, ran.policy) == (1, policy(*present))
    assert ran.errors == f"The policy of {FUNCTION_ARN} no longer has this statement, so nothing was changed.\n"
    assert [call[1] for call in ran.calls] == ["get-resource-policy"]


def test_nothing_is_changed_if_the_policy_was_deleted(tmp_path: Path) -> None:
    """The AWS CLI's own message is shown too."""
    ran = shell.change_policy(replace_statements(FUNCTION_ARN, [statement()], []), FUNCTION_ARN, None, tmp_path)
    assert ran.code == 1
    assert "(ResourceNotFoundException)" in ran.errors
    assert "Traceback" not in ran.errors
    assert [call[1] for call in ran.calls] == ["get-resource-policy"]


@pytest.mark.parametrize("new", [[NARROW], []], ids=["replaced", "removed"])
def test_a_change_that_is_made_at_the_same_time_is_not_overwritten(tmp_path: Path, new: list[Any]) -> None:
    """The revision that was read differs then, and AWS rejects the write."""
    command, added = replace_statements(FUNCTION_ARN, [statement()], new), statement("added")
    ran = shell.change_policy(command, FUNCTION_ARN, policy(statement()), tmp_path, concurrent=added)
    assert (ran.code, ran.policy) == (1, policy(statement(), added))
    assert "(PreconditionFailedException)" in ran.errors
    assert "Traceback" not in ran.errors


def test_the_policy_is_deleted_with_its_last_statement(tmp_path: Path) -> None:
    """Lambda accepts no policy without a statement."""
    command = replace_statements(FUNCTION_ARN, [statement()], [])
    ran = shell.change_policy(command, FUNCTION_ARN, policy(statement(), statement()), tmp_path)
    assert (ran.code, ran.policy) == (0, None)
    assert ran.calls[1][1] == "delete-resource-policy"
    assert "--revision-id" in ran.calls[1]


def test_nothing_is_imported_from_the_current_folder(tmp_path: Path) -> None:
    """Its files may be from somebody else."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    command = replace_statements(FUNCTION_ARN, [statement()], [])
    assert shell.change_policy(command, FUNCTION_ARN, policy(statement()), tmp_path).code == 0


def test_the_policy_is_written_without_spaces(tmp_path: Path) -> None:
    """Lambda's limit of 20,480 bytes is on the text that it gets."""
    command = replace_statements(FUNCTION_ARN, [statement()], [NARROW])
    ran = shell.change_policy(command, FUNCTION_ARN, policy(statement(), statement("b")), tmp_path)
    written = ran.calls[1][ran.calls[1].index("--policy") + 1]
    assert written == json.dumps(json.loads(written), separators=(",", ":"))


def test_the_remedies_of_a_finding_grow_with_its_statement_and_not_with_the_policy() -> None:
    """A policy of 20 KB with 70 statements has 140 findings, and each would quote the policy."""
    filler = "x" * 120
    many = [statement(None, Action=["lambda:*", f"lambda:{filler}{number}"]) for number in range(70)]
    document = {"Version": "2012-10-17", "Statement": many}
    assert 18_000 < len(json.dumps(document)) < 20_480
    snapshot = Snapshot(
        TARGET, a_function(), resource_policies=(ResourcePolicy(FUNCTION_ARN, None, parse_policy(document)),)
    )
    found = evaluate(snapshot, rules_for(Direction.INVOKE_POLICY, TrustSet(frozenset()))).violations
    (of_the_policy,) = (verdict for verdict in found if verdict.rule_id == "PG113")
    assert sum(len(json.dumps(asdict(remedy))) for remedy in of_the_policy.remedies) < 6_000
    of_statements = [verdict for verdict in found if verdict != of_the_policy]
    assert len(of_statements) == 140
    for verdict in of_statements:
        size = sum(len(json.dumps(asdict(remedy))) for remedy in verdict.remedies)
        # Two programs, one of them for the way back.
        assert size < 8_000 + 4 * len(json.dumps(verdict.evidence["statement"])), verdict.rule_id


@pytest.mark.parametrize(
    "present", [None, policy(statement("other")), policy(statement("other"), NARROW)], ids=range(3)
)
def test_a_statement_is_added_again_in_place_of_what_has_its_sid(tmp_path: Path, present: Any) -> None:
    """Whether or not the policy still exists: it is deleted with its last statement."""
    name = str(NARROW["Sid"])
    wide = statement(name)
    ran = shell.change_policy(replace_statements(FUNCTION_ARN, [name], [wide]), FUNCTION_ARN, present, tmp_path)
    assert (ran.code, ran.errors) == (0, "")
    others = [statement("other")] if present else []
    assert ran.policy["Statement"] == [*others, wide]
