"""The account of the examples in docs/explain.md: the function `orders`, its triggers, and who may invoke it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.model.state import Inventory, SourceState, Trigger
from permission_guard.model.targets import Direction
from permission_guard.offline.state_file import StateWriter
from tests.fakes import ACCOUNT, FUNCTION_ARN, LOGS, QUEUE_ARN, a_mapping, a_role, allow, polling, statement
from tests.unit.explain.accounts import FOREIGN_ROLE, INVOKE, USER, a_caller, a_state, granting, policy_on

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.explain.state import FunctionState
    from permission_guard.model.identities import Identity

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:news"


def role(name: str, *statements: dict[str, Any], **more: Any) -> Identity:
    """Return a role of the account."""
    return a_caller(*statements, arn=f"arn:aws:iam::{ACCOUNT}:role/{name}", **more)


def shop() -> FunctionState:
    """Return what was read of the function `orders`."""
    news = Trigger("sns.amazonaws.com", TOPIC, (TOPIC,), ACCOUNT, FUNCTION_ARN, "the subscription of the topic news")
    admins = [role(f"admin-{number:02}", statement("*", Sid="Everything")) for number in range(1, 9)]
    return a_state(
        policy_on(
            granting({"Service": "s3.amazonaws.com"}, Sid="photos"),
            granting({"Service": "sns.amazonaws.com"}, Sid="news", Condition={"ArnLike": {"aws:SourceArn": TOPIC}}),
            granting({"AWS": FOREIGN_ROLE}, Sid="partner"),
        ),
        callers=(
            *admins,
            role("deploy", statement(INVOKE, resource=FUNCTION_ARN), boundary=statement("s3:*")),
            role("paused", statement(INVOKE), statement("lambda:*", effect="Deny", Sid="Pause")),
            role("reports", statement("s3:GetObject")),
            a_caller(statement(INVOKE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), arn=USER),
        ),
        runs=polling(
            a_role(allow(*LOGS), allow("sqs:ReceiveMessage", "sqs:GetQueueAttributes")),
            mappings=(a_mapping(),),
            sources={QUEUE_ARN: SourceState()},
        ),
        invokes={"inventories": (Inventory("sns", "sns.amazonaws.com", frozenset({TOPIC}), (news,)),)},
    )


def save(path: Path, *states: FunctionState, with_identities: bool = True) -> Path:
    """Write states as `scan --save` does."""
    with StateWriter(path) as writer:
        for state in states:
            runs = {} if state.runs is None else {Direction.EXECUTION_ROLE: state.runs}
            tags = state.tags if isinstance(state.tags, dict) else None
            writer.add(state.target, {Direction.INVOKE_POLICY: state.invokes, **runs}, tags)
        if with_identities:
            writer.add_identities(states[0].identities)
        writer.finish(saved_at="2026-11-20T10:15:30+00:00", is_complete=True, places=[(ACCOUNT, "us-east-1")])
    return path
