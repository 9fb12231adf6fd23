"""The plans that are proven: of the cases, of a corpus, and of generated policies.

A narrowing adds the statements that the remedies derive, one call each, and then removes the broad one. A compaction is
one call. A removal takes the flagged statement away, an addition adds one statement for a trigger.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.checks.engine import evaluate
from permission_guard.fixes import certificate as certificates
from permission_guard.fixes.proven import calls_of, proven_calls
from permission_guard.iam import Restriction, TrustSet, parse_policy
from permission_guard.iam.compaction import compacted
from permission_guard.invokers.allowed import Allowed, statements_of
from permission_guard.model.state import ResourcePolicy, Unread
from permission_guard.model.targets import Direction
from permission_guard.remedies.decisions import PLACEHOLDER
from permission_guard.remedies.invoke_policy import narrowed_to_sources
from permission_guard.remedies.sources import by_owner
from permission_guard.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.fixes.certificate import Call, Certificate
    from permission_guard.model.state import Snapshot, Trigger

JSON = Any

NARROWED: Final = ("PG102", "PG103", "PG104")
REMOVED: Final = ("PG101", "PG107", "PG109", "PG110", "PG111")


@dataclass(frozen=True, slots=True)
class Plan:
    """A change of a policy, as documents, and its certificate.

    `old`, `between` and `new` are the documents before, between and after the calls. Those of an attachment are lists
    of documents. `added` are the statements or documents that a plan adds.
    """

    name: str
    kind: str
    account: str
    old: JSON
    new: JSON
    certificate: Certificate
    between: list[JSON] = field(default_factory=list)
    proven: list[Call] = field(default_factory=list)
    added: list[JSON] = field(default_factory=list)

    @property
    def is_undecided(self) -> bool:
        """Whether the certificate does not hold because something was not decided."""
        return not self.certificate.holds and "undecided" in " ".join(self.certificate.grounds)


def plans_of(name: str, snapshot: Snapshot, trust: TrustSet) -> Iterator[Plan]:
    """Yield every plan for the policies of a function: for each flagged statement, each policy and each trigger."""
    rules = [rule for rule in rules_for(Direction.INVOKE_POLICY, trust) if rule.id in {*NARROWED, *REMOVED}]
    violations = evaluate(snapshot, rules).violations
    flagged = {(one.rule_id, one.function_arn, str(one.subject)) for one in violations}
    for policy in snapshot.resource_policies:
        if isinstance(policy, Unread) or not isinstance(policy.document.document, dict):
            continue
        for allowed in statements_of(policy, snapshot, trust):
            subject = f"statement/{allowed.name}"
            by = [rule for rule, arn, one in flagged if (arn, one) == (policy.resource_arn, subject)]
            for rule in sorted(by):
                label = f"{name} {rule} {allowed.name}"
                if rule in REMOVED:
                    yield removal(label, policy, allowed)
                elif plan := narrowing(label, policy, allowed, rule):
                    yield plan
        if plan := compaction(name, policy, snapshot):
            yield plan
        yield from additions(name, policy, snapshot)


# ── The kinds ───────────────────────────────────────────────────────────────────────────────────────────────────────


def narrowing(name: str, policy: ResourcePolicy, allowed: Allowed, rule: str) -> Plan | None:
    """Return the plan to narrow a statement to its sources, None if a person must decide or AddPermission cannot."""
    services = allowed.services_with(Restriction.WEAK if rule == "PG103" else Restriction.OPEN)
    found = [(invoker, service) for invoker, service in services if invoker.names_its_source]
    if rule == "PG103":
        elements = by_owner(allowed, allowed.source_arns(), [service for _, service in found])
        statements = [{**allowed.statement.raw, **one} for one in elements]
    else:
        statements = narrowed_to_sources(allowed, found)
    if not statements or PLACEHOLDER.search(json.dumps(statements)):
        return None
    document = document_of(policy)
    present = document["Statement"]
    named = [{**one, "Sid": f"permission-guard-{number}"} for number, one in enumerate(statements, start=1)]
    old = {**document, "Statement": present}
    between = [{**document, "Statement": [*present, *named[:count]]} for count in range(1, len(named) + 1)]
    rest = [one for index, one in enumerate(present) if index != allowed.statement.index]
    new = {**document, "Statement": [*rest, *named]}
    triggers = [trigger for invoker, _ in found for trigger in allowed.triggers_of(invoker)]
    kept = proven_calls(triggers, policy.document, policy.resource_arn)
    certificate = certificates.narrow(parsed(old), list(map(parsed, between)), parsed(new), kept)
    return Plan(name, "narrow", account_of(policy), old, new, certificate, between, kept)


def compaction(name: str, policy: ResourcePolicy, snapshot: Snapshot) -> Plan | None:
    """Return the plan to merge the statements of a policy, None if none can be merged."""
    old = document_of(policy)
    new = compacted(old)
    if new == old:
        return None
    kept = proven_calls(triggers_of(policy, snapshot), policy.document, policy.resource_arn)
    certificate = certificates.compact(parsed(old), (), parsed(new), kept)
    return Plan(name, "compact", account_of(policy), old, new, certificate, [], kept)


def removal(name: str, policy: ResourcePolicy, allowed: Allowed) -> Plan:
    """Return the plan to remove a statement."""
    old = document_of(policy)
    rest = [one for index, one in enumerate(old["Statement"]) if index != allowed.statement.index]
    new = {**old, "Statement": rest}
    certificate = certificates.remove(parsed(old), (), parsed(new))
    return Plan(name, "remove", account_of(policy), old, new, certificate)


def additions(name: str, policy: ResourcePolicy, snapshot: Snapshot) -> Iterator[Plan]:
    """Yield the plan to add a statement for each trigger that the policy does not allow."""
    for trigger in triggers_of(policy, snapshot):
        call = calls_of(trigger, policy.resource_arn)[0]
        if certificates.is_allowed(call, policy.document):
            continue
        old, added = document_of(policy), statement_for(call)
        new = {**old, "Statement": [*old["Statement"], added]}
        certificate = certificates.add(parsed(old), parsed(new), [added])
        yield Plan(f"{name} {call.source}", "add", account_of(policy), old, new, certificate, added=[added])


def statement_for(call: Call) -> JSON:
    """Return a statement for a source, as AddPermission writes it."""
    condition: JSON = {}
    if call.source_arn:
        condition["ArnLike"] = {"AWS:SourceArn": call.source_arn}
    if call.source_account:
        condition["StringEquals"] = {"AWS:SourceAccount": call.source_account}
    return {
        "Sid": "permission-guard-added",
        "Effect": "Allow",
        "Principal": {"Service": call.principal},
        "Action": call.action,
        "Resource": call.function_arn,
        **({"Condition": condition} if condition else {}),
    }


# ── Sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def triggers_of(policy: ResourcePolicy, snapshot: Snapshot) -> list[Trigger]:
    """Return the triggers of the function, version or alias of a policy."""
    return [
        trigger
        for inventory in snapshot.inventories
        for trigger in inventory.triggers
        if trigger.function_arn.removesuffix(":$LATEST") == policy.resource_arn
    ]


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────


def document_of(policy: ResourcePolicy) -> JSON:
    """Return a copy of a policy's document, its statements as a list."""
    document = json.loads(json.dumps(policy.document.document))
    statements = document.get("Statement", [])
    return {**document, "Statement": statements if isinstance(statements, list) else [statements]}


def parsed(document: JSON) -> Any:
    """Return a policy."""
    return parse_policy(document)


def account_of(policy: ResourcePolicy) -> str:
    """Return the account of a policy's function."""
    return policy.resource_arn.split(":")[4]
