"""The plans of the repository's cases, and of a corpus and of records from outside of it, which are read in place."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Function, Inventory, ResourcePolicy, Role, Snapshot, Trigger
from tests.proof.plans import Plan, plans_of, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import Policy

JSON = Any

MATERIAL: Final = Path(os.environ.get("MATERIAL") or "/nonexistent")
STATEMENTS: Final = MATERIAL / "corpus" / "statements.jsonl"
RECORDS: Final = MATERIAL / "cloudtrail"
_ACCOUNT: Final = re.compile("[0-9]{12}")


# ── The cases ───────────────────────────────────────────────────────────────────────────────────────────────────────


def case_plans(part: int = 0, parts: int = 1) -> Iterator[Plan]:
    """Yield the plans of the cases of the rules, and those of each of their statements; those of one of some parts."""
    from tests.rule_cases import INVOKE_CASES, snapshot_of, trust_of  # noqa: PLC0415 - slow to import

    for path in INVOKE_CASES[part::parts]:
        case = json.loads(path.read_text())
        name, snapshot = f"{path.parent.name}-{path.stem}", snapshot_of(case)
        yield from plans_of(name, snapshot, trust_of(case))
        for policy in snapshot.resource_policies:
            if isinstance(policy, ResourcePolicy):
                for statement in policy.document.statements:
                    yield from of_statement(f"{name} {statement.sid}", {**statement.raw, "Sid": "s"})
    yield from _attachments(part, parts)


def _attachments(part: int, parts: int) -> Iterator[Plan]:
    """Yield the attachments of all failing cases of the rules on execution roles."""
    from tests.unit.fixes import test_attach_every_rule as attached  # noqa: PLC0415 - slow to import

    fix = AttachManagedPolicy()
    for path in attached.FAILING[part::parts]:
        snapshot, rule = attached.case_of(path)
        problem = next(attached.violations(snapshot, rule))
        try:
            plan = attached.plan_for(problem, snapshot, rule)
        except FixRefusedError as error:
            yield refused(f"{path.parent.name}-{path.stem}", "attach", snapshot.target.arn, str(error))
            continue
        role_arn = plan.change["role_arn"]
        role = snapshot.roles[role_arn]
        after = plan.leads_to.roles[role_arn] if plan.leads_to else role
        if not isinstance(role, Role) or not isinstance(after, Role) or plan.certificate is None:
            raise TypeError(f"{path.stem}: {fix.name} has no role or no certificate")
        added = [policy for arn, policy in after.attached.items() if arn not in role.attached]
        yield Plan(
            name=f"{path.parent.name}-{path.stem}",
            kind="attach",
            account=role.arn.split(":")[4],
            old=_documents(role),
            new=_documents(after),
            certificate=plan.certificate,
            added=[_document(each) for each in added],
        )


def _documents(role: Role) -> list[JSON]:
    policies = [*role.attached.values(), *role.inline.values()]
    return [_document(each) for each in policies if hasattr(each, "document")]


def _document(policy: Policy | Any) -> JSON:
    return policy.document if isinstance(policy.document, dict) else {"Statement": []}


# ── The corpus ──────────────────────────────────────────────────────────────────────────────────────────────────────


def corpus_plans(part: int = 0, parts: int = 1) -> Iterator[Plan]:
    """Yield a narrowing of each statement of the corpus that names its source: from the statement without conditions.

    And every plan for the statement as it is. Of the corpus, one of some parts.
    """
    for line in STATEMENTS.read_text().splitlines()[part::parts]:
        entry = json.loads(line)
        statement = {**entry["resolved"], "Sid": "s"}
        yield from of_statement(entry["id"], statement)


def record_plans() -> Iterator[Plan]:
    """Yield a narrowing for each recorded invocation by a service: from a statement for every source of it."""
    for path in sorted(RECORDS.glob("Invoke*.json")) if RECORDS.exists() else ():
        record = json.loads(path.read_text())
        sent = record.get("requestParameters") or {}
        if record["userIdentity"]["type"] == "AWSService" and sent.get("sourceArn"):
            statement = {
                "Sid": "s",
                "Effect": "Allow",
                "Principal": {"Service": record["userIdentity"]["invokedBy"]},
                "Action": "lambda:InvokeFunction",
                "Resource": sent["functionName"],
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": sent["sourceArn"]},
                    "StringEquals": {"AWS:SourceAccount": sent["sourceAccount"]},
                },
            }
            yield from of_statement(path.stem, statement)


def of_statement(name: str, statement: JSON) -> Iterator[Plan]:
    """Yield the plans for a statement, and the narrowing to its source of the same statement without its conditions."""
    resource, principals = statement.get("Resource"), statement.get("Principal")
    if not isinstance(resource, str) or ":function:" not in resource or resource.count(":") not in {6, 7}:
        return
    arn_of_policy = resource.replace("*", "orders")  # the function that is looked at, of those that it names
    try:
        target, qualifier = parse_function_arn(arn_of_policy)
    except ValueError:  # some examples have accounts of eleven digits
        return
    account = target.account
    condition = {key.lower(): value for keys in statement.get("Condition", {}).values() for key, value in keys.items()}
    written, source_account = condition.get("aws:sourcearn", ()), condition.get("aws:sourceaccount", "")
    principal = principals.get("Service") if isinstance(principals, dict) else None
    arns = [written] if isinstance(written, str) else written
    triggers = tuple(
        Trigger(principal, arn, (arn,), _owner(arn, source_account) or account, arn_of_policy, "a source of the corpus")
        for arn in arns
        if isinstance(principal, str) and arn.startswith("arn:")
    )
    inventory = Inventory("corpus", principal or "", frozenset(trigger.source for trigger in triggers), triggers)
    trust = TrustSet(frozenset({account}))
    broad = {key: value for key, value in statement.items() if key != "Condition"}
    for label, one in (("as it is", statement), ("without conditions", broad)):
        document = {"Version": "2012-10-17", "Statement": [one]}
        policy = ResourcePolicy(arn_of_policy, qualifier, parse_policy(document))
        snapshot = Snapshot(
            target,
            Function(target.arn, target.name, f"arn:{target.partition}:iam::{account}:role/r"),
            resource_policies=(policy,),
            inventories=(inventory,),
            function_urls=(),
        )
        yield from plans_of(f"{name} {label}", snapshot, trust)


def _owner(arn: str, source_account: JSON) -> str:
    """Return the account of a source, empty if neither its ARN nor the statement has one in full."""
    named = arn.split(":")[4] if arn.count(":") >= 5 else ""
    return next((one for one in (source_account, named) if isinstance(one, str) and _ACCOUNT.fullmatch(one)), "")
