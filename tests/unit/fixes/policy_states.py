"""Functions with resource-based policies and triggers, for the tests of fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import Inventory, Snapshot, Trigger, Unread
from permission_guard.model.verdicts import finding_id
from permission_guard.rules import RULES
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION, TARGET, InMemoryState, a_finding, a_function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.model.findings import Finding
    from permission_guard.model.verdicts import Verdict

BUCKET = "arn:aws:s3:::uploads"
DELETED_BUCKET = "arn:aws:s3:::deleted"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"
BUS_RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/shop/placed"
API = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3d4"
PRINCIPALS = {
    "s3": "s3.amazonaws.com",
    "sns": "sns.amazonaws.com",
    "events": "events.amazonaws.com",
    "apigateway": "apigateway.amazonaws.com",
    "apigatewayv2": "apigateway.amazonaws.com",
    "secretsmanager": "secretsmanager.amazonaws.com",
}


def a_statement(sid: str, service: Any, arn: str = FUNCTION_ARN, **condition: Any) -> dict[str, Any]:
    """Return a statement that allows a service to invoke; `condition` are operators with their keys."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service} if isinstance(service, (str, list)) and service != "*" else service,
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        **({"Condition": condition} if condition else {}),
    }


def by_source(sid: str, service: str, source: str, account: str = "", arn: str = FUNCTION_ARN) -> dict[str, Any]:
    """Return a statement as AddPermission writes it."""
    condition: dict[str, Any] = {"ArnLike": {"AWS:SourceArn": source}} if source else {}
    if account:
        condition["StringEquals"] = {"AWS:SourceAccount": account}
    return a_statement(sid, service, arn, **condition)


def a_trigger(name: str, source: str, *source_arns: str, function: str = FUNCTION_ARN) -> Trigger:
    """Return what is configured to invoke the function."""
    return Trigger(PRINCIPALS[name], source, source_arns or (source,), ACCOUNT, function, f"the source {source}")


def an_inventory(name: str, *triggers: Trigger, **more: Any) -> Inventory:
    """Return an inventory that has the sources of its triggers."""
    sources = frozenset(trigger.source.partition("/*")[0] for trigger in triggers)
    return Inventory(name, PRINCIPALS[name], **{"sources": sources, "triggers": triggers, **more})


def a_state(
    statements: Sequence[dict[str, Any]],
    *inventories: Inventory,
    arn: str = FUNCTION_ARN,
    tags: dict[str, str] | Unread | None = None,
    **more: Any,
) -> InMemoryState:
    """Return a function whose policy has these statements. Inventories that are not given have no source."""
    given = {inventory.name for inventory in inventories}
    empty = (an_inventory(name) for name in PRINCIPALS if name not in given)
    snapshot = Snapshot(
        TARGET,
        a_function(),
        inventories=(*inventories, *empty),
        tags={} if tags is None else tags,
        function_urls=(),
        foreign_buckets={DELETED_BUCKET: False},
    )
    state = InMemoryState(snapshot, **more)
    state.set_statements(arn, list(statements))
    return state


def check_of(rule_id: str) -> Callable[[Snapshot], Sequence[Verdict]]:
    """Return what a rule says about a state."""
    (rule,) = (one for one in RULES if one.id == rule_id)
    return lambda snapshot: evaluate(snapshot, [rule(TrustSet(frozenset()))]).verdicts


def finding_of(rule_id: str, subject: str, arn: str = FUNCTION_ARN, **more: Any) -> Finding:
    """Return an open finding."""
    return a_finding(
        id=finding_id(rule_id, arn, subject), rule_id=rule_id, subject=subject, function_arn=arn, evidence={}, **more
    )


def visible(is_visible: Callable[[], bool]) -> bool:
    """Look once, as AWS shows writes at once."""
    return is_visible()
