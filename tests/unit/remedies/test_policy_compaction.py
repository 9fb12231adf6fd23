"""The command that merges statements, run in bash with a stand-in for the AWS CLI: the policy allows the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.iam import Context, PolicySet, Principal, Request, evaluate, parse_policy
from permission_guard.remedies.policy_compaction import compact_policy, is_compactible
from tests import shell
from tests.fakes import ACCOUNT, FUNCTION_ARN

if TYPE_CHECKING:
    from pathlib import Path

RULES = [f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{name}" for name in ("a", "b", "c", "d")]
OTHER = "111122223333"


def statement(sid: str, operator: str = "ArnLike", sources: Any = RULES[0], **more: Any) -> dict[str, Any]:
    """Return a statement for sources."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
        "Condition": {operator: {"AWS:SourceArn": sources}},
        **more,
    }


def with_account(sid: str, source: str, account: str) -> dict[str, Any]:
    """Return a statement for a source in an account."""
    condition = {"ArnLike": {"AWS:SourceArn": source}, "StringEquals": {"AWS:SourceAccount": account}}
    return statement(sid, Condition=condition)


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}


def compacted(folder: Path, *statements: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements after the command, which changes the policy with the revision that it read."""
    ran = shell.change_policy(compact_policy(FUNCTION_ARN), FUNCTION_ARN, policy(*statements), folder)
    assert (ran.code, ran.errors) == (0, "")
    assert [call[1] for call in ran.calls] == ["get-resource-policy", "put-resource-policy"]
    written = ran.calls[1][ran.calls[1].index("--policy") + 1]
    assert written == json.dumps(ran.policy, separators=(",", ":"))
    assert ran.policy == policy(*ran.policy["Statement"])
    found: list[dict[str, Any]] = ran.policy["Statement"]
    return found


def allowed(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return which sources of which accounts may invoke the function."""
    document = parse_policy(policy(*statements))
    calls = [(source, account) for source in RULES for account in (ACCOUNT, OTHER)]
    return {
        (source, account)
        for source, account in calls
        if evaluate(
            Request(
                principal=Principal.service("events.amazonaws.com"),
                action="lambda:InvokeFunction",
                resource=FUNCTION_ARN,
                context=Context({"aws:SourceArn": source, "aws:SourceAccount": account}),
            ),
            PolicySet(resource=document),
        ).allowed
    }


MERGED = {
    "one source each": ([statement("1"), statement("2", sources=RULES[1]), statement("3", sources=RULES[2])], 1),
    "lists": ([statement("1", sources=RULES[:2]), statement("2", sources=RULES[1:3])], 1),
    "copies": ([statement("1"), statement("2"), statement("3", sources=RULES[1])], 1),
    "two accounts": ([with_account("1", RULES[0], ACCOUNT), with_account("2", RULES[0], OTHER)], 1),
    "a square": ([with_account(f"{r}{a}", r, a) for r in RULES[:2] for a in (ACCOUNT, OTHER)], 1),
    "not a square": (
        [with_account("1", RULES[0], ACCOUNT), with_account("2", RULES[0], OTHER), with_account("3", RULES[1], OTHER)],
        2,
    ),
    "another effect": ([statement("1"), statement("2", sources=RULES[1]), statement("3", Effect="Deny")], 2),
    "another operator": ([statement("1"), statement("2", "ArnEquals"), statement("3", sources=RULES[1])], 2),
}


@pytest.mark.parametrize(("statements", "count"), MERGED.values(), ids=MERGED)
def test_statements_that_differ_in_one_condition_are_merged(
    tmp_path: Path, statements: list[dict[str, Any]], count: int
) -> None:
    """Each pair of source and account is allowed afterwards exactly if it was allowed before."""
    assert is_compactible(statements)
    after = compacted(tmp_path, *statements)
    assert len(after) == count
    assert allowed(after) == allowed(statements)
    assert len({one["Sid"] for one in after}) == count


KEPT = {
    "one statement": [statement("1")],
    "two conditions differ": [with_account("1", RULES[0], ACCOUNT), with_account("2", RULES[1], OTHER)],
    # One value that is not equal does not suffice: each list denies less.
    "negated": [statement("1", "StringNotEquals"), statement("2", "StringNotEquals", RULES[1])],
    "for all values": [statement("1", "ForAllValues:ArnLike"), statement("2", "ForAllValues:ArnLike", RULES[1])],
    "another principal": [statement("1"), statement("2", Principal={"Service": "s3.amazonaws.com"})],
    "another action": [statement("1"), statement("2", Action="lambda:GetFunction")],
    "no condition": [statement("1", Condition={}), statement("2")],
}


@pytest.mark.parametrize("statements", KEPT.values(), ids=KEPT)
def test_other_statements_are_kept(tmp_path: Path, statements: list[dict[str, Any]]) -> None:
    """The command says so, and writes nothing."""
    assert not is_compactible(statements)
    ran = shell.change_policy(compact_policy(FUNCTION_ARN), FUNCTION_ARN, policy(*statements), tmp_path)
    assert ran.code == 1
    assert "can be merged, so nothing was changed" in ran.errors
    assert ran.policy == policy(*statements)
    assert [call[1] for call in ran.calls] == ["get-resource-policy"]


def test_a_change_by_another_writer_is_not_overwritten(tmp_path: Path) -> None:
    """Lambda refuses the old revision."""
    before = policy(statement("1"), statement("2", sources=RULES[1]))
    ran = shell.change_policy(compact_policy(FUNCTION_ARN), FUNCTION_ARN, before, tmp_path, statement("new"))
    assert ran.code != 0
    assert ran.policy == policy(*before["Statement"], statement("new"))


@pytest.mark.parametrize("condition", [None, "x", [], {"ArnLike": "x"}, {"ArnLike": None}])
def test_malformed_conditions_are_kept(tmp_path: Path, condition: Any) -> None:
    """They are not merged with anything."""
    statements = [statement("1"), statement("2", sources=RULES[1]), statement("odd", Condition=condition)]
    assert is_compactible(statements)
    assert compacted(tmp_path, *statements)[-1] == statements[-1]
