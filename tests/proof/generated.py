"""Generated functions: policies that people and tools write, with defects, copies and statements that can be merged."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from benchmarks.policies.functions import TRUST, defective_function, good_function
from permission_guard.iam import parse_policy
from permission_guard.model.state import ResourcePolicy
from tests.proof.plans import Plan, document_of, plans_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import Snapshot

JSON = Any

SEED: Final = 2026
_MOST_MORE: Final = 5


def generated_plans(number: int) -> Iterator[Plan]:
    """Yield the plans of one generated function: every second one has defects."""
    sample = (good_function if number % 2 else defective_function)(*_arguments(number))
    chance = random.Random(f"{SEED}-{number}")
    snapshot = sample.snapshot
    policies = tuple(
        _enlarged(policy, snapshot, chance)
        for policy in snapshot.resource_policies
        if isinstance(policy, ResourcePolicy)
    )
    yield from plans_of(f"generated {number}", replace(snapshot, resource_policies=policies), TRUST)


def _arguments(number: int) -> tuple[Any, ...]:
    seed = f"{SEED}-proof-{number}"
    return (seed,) if number % 2 else (seed, number // 2)


def _enlarged(policy: ResourcePolicy, snapshot: Snapshot, chance: random.Random) -> ResourcePolicy:
    """Return a policy with broad statements for its triggers, and with variants of its own statements."""
    document = document_of(policy)
    statements = list(document["Statement"])
    principals = {
        trigger.principal
        for inventory in snapshot.inventories
        for trigger in inventory.triggers
        if trigger.function_arn.removesuffix(":$LATEST") == policy.resource_arn
    }
    for number, principal in enumerate(sorted(principals)):
        if chance.random() < 0.7:
            statements.append(
                {
                    "Sid": f"broad-{number}",
                    "Effect": "Allow",
                    "Principal": {"Service": principal},
                    "Action": "lambda:InvokeFunction",
                    "Resource": policy.resource_arn,
                }
            )
    for number in range(chance.randrange(_MOST_MORE) if statements else 0):
        statements.append({**_variant(chance.choice(statements), chance), "Sid": f"variant-{number}"})
    chance.shuffle(statements)
    return replace(policy, document=parse_policy(json.dumps({**document, "Statement": statements})))


def _variant(statement: JSON, chance: random.Random) -> JSON:
    """Return a statement that differs from another in one element, or is a copy of it."""
    found = json.loads(json.dumps(statement))
    conditions = [
        (operator, key) for operator, keys in found.get("Condition", {}).items() for key in keys
    ]  # fmt: skip
    if conditions and chance.random() < 0.7:
        operator, key = chance.choice(conditions)
        values = found["Condition"][operator][key]
        first = values[0] if isinstance(values, list) else values
        every = first if "Arn" in operator else "*"
        variants = [f"{first}-2", f"{first[:-2]}*", [first, f"{first}-3"], f"{first[:-1]}?", every]
        found["Condition"][operator][key] = chance.choice(variants)
    elif chance.random() < 0.5:
        found["Action"] = chance.choice(["lambda:InvokeFunction", "lambda:Invoke*", ["lambda:InvokeFunctionUrl"]])
    return found
