"""What people do in the account, and with the bot: the steps of a seed, each with its words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.findings import Finding, FixResult, Status
from tests.fakes import SQS_POLICY_ARN
from tests.simulation.account import ADMINISTRATOR_ARN, PARTNER, function_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.world import World

    Action = Callable[[World], None]

NAMES: Final = ("orders", "invoices", "refunds")
SHARED: Final = "shared-role"
PERSON: Final = "arn:aws:sts::123456789012:assumed-role/platform/jane"
_PAUSES: Final = (0.0, 0.0, 0.1, 3.0, 45.0, 70.0, 200.0, 1_500.0)
_MOST: Final = 6
_SUPPRESSED_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens, `after` seconds after the step before it."""

    words: str
    after: float
    act: Action


def steps_of(seed: int) -> list[Step]:
    """Return what happens in a seed: first a function, then what people do with it."""
    random = Random(f"{seed}/story")  # noqa: S311 - a seed must lead to the same story
    first = random.choice(NAMES)
    steps = [Step(f"create the function {first}", 0.0, lambda world: create(world, first, None))]
    for _ in range(random.randint(1, _MOST)):
        words, act = random.choice(_KINDS)(random)
        steps.append(Step(words, random.choice(_PAUSES), act))
    return steps


def create(world: World, name: str, role: str | None) -> None:
    """Create a function, unless it exists."""
    if name not in world.account.functions:
        world.account.create_function(name, role)


def _function(random: Random) -> tuple[str, Action]:
    name, role = random.choice(NAMES), random.choice((None, SHARED, SHARED))
    return f"create the function {name} with {role or 'a role of its own'}", lambda world: create(world, name, role)


def _delete(random: Random) -> tuple[str, Action]:
    name = random.choice(NAMES)
    return f"delete the function {name}", lambda world: _of(world, name, world.account.delete_function)


def _permission(random: Random) -> tuple[str, Action]:
    name, principal = random.choice(NAMES), random.choice(("s3.amazonaws.com", "*", PARTNER))
    sid = f"for-{principal.strip('*') or 'all'}".replace(".", "-")

    def act(world: World) -> None:
        if random_less(world, name):
            world.account.permit(name, sid, principal)

    return f"permit {principal} to invoke {name}", act


def _no_permission(random: Random) -> tuple[str, Action]:
    name = random.choice(NAMES)

    def act(world: World) -> None:
        if random_less(world, name):
            for sid in list(world.account.functions[name].statements):
                world.account.forbid(name, sid)

    return f"remove every permission to invoke {name}", act


def random_less(world: World, name: str) -> bool:
    """Return whether a function exists."""
    return name in world.account.functions


def _mapping(random: Random) -> tuple[str, Action]:
    name, allowed = random.choice(NAMES), random.random() < 0.5

    def act(world: World) -> None:
        if name in world.account.functions:
            if allowed:
                world.account.attach(world.account.functions[name].role, SQS_POLICY_ARN)
            world.account.map_queue(name)

    return f"let {name} poll the queue, {'with' if allowed else 'without'} the permission", act


def _no_mapping(random: Random) -> tuple[str, Action]:
    name = random.choice(NAMES)
    return f"let {name} poll no queue", lambda world: _of(world, name, world.account.unmap)


def _role(random: Random) -> tuple[str, Action]:
    name = random.choice(NAMES)
    words, change = random.choice(_ROLE_CHANGES)

    def act(world: World) -> None:
        if name in world.account.functions:
            change(world, world.account.functions[name].role)

    return f"{words} (the role of {name})", act


_ROLE_CHANGES: Final[list[tuple[str, Callable[[World, str], None]]]] = [
    ("attach the policy for queues", lambda world, role: world.account.attach(role, SQS_POLICY_ARN)),
    ("detach the policy for queues", lambda world, role: world.account.detach(role, SQS_POLICY_ARN)),
    ("detach the policy for queues, and nothing else", lambda world, role: world.account.detach(role, SQS_POLICY_ARN)),
    ("allow SQS in an inline policy", lambda world, role: world.account.allow_inline(role, "sqs:*")),
    ("delete the inline policy", lambda world, role: world.account.disallow_inline(role)),
    ("let a partner assume", lambda world, role: world.account.trust(role, {"AWS": PARTNER})),
    ("let only Lambda assume", lambda world, role: world.account.trust(role, None)),
    ("attach AdministratorAccess", lambda world, role: world.account.attach(role, ADMINISTRATOR_ARN)),
    ("detach AdministratorAccess", lambda world, role: world.account.detach(role, ADMINISTRATOR_ARN)),
]


def _other_role(random: Random) -> tuple[str, Action]:
    name = random.choice(NAMES)

    def act(world: World) -> None:
        if name in world.account.functions and SHARED in world.account.roles:
            world.account.use_role(name, SHARED)

    return f"let {name} run with the shared role", act


def _sweep(_random: Random) -> tuple[str, Action]:
    return "the sweep starts", sweep


def sweep(world: World) -> None:
    """Start a sweep."""
    world.invoke_asynchronously("sweep_account", {}, "sweep_account")


def _configuration(random: Random) -> tuple[str, Action]:
    words, keys = random.choice(_DOCUMENTS)

    def act(world: World) -> None:
        given = json.loads(json.dumps(keys).replace("<end>", _in(world, _SUPPRESSED_FOR)))
        world.document = json.dumps({"version": 1, "grace_period_seconds": 60, **given})
        world.configurations += 1

    return f"push a configuration: {words}", act


_EXCEPTION: Final = {
    "id": "known",
    "rules": ["PG101", "PG102", "PG201"],
    "functions": ["orders", "invoices"],
    "reason": "Known, and accepted.",
    "owner": "platform",
    "expires": "<end>",
}
_DOCUMENTS: Final[list[tuple[str, Mapping[str, Any]]]] = [
    ("the defaults", {}),
    ("an exception for an hour", {"exceptions": [_EXCEPTION]}),
    ("an exception for an hour", {"exceptions": [_EXCEPTION]}),
    ("the partner is trusted", {"trust": {"accounts": [PARTNER]}}),
    ("PG102 is disabled, PG101 is medium", {"rules": {"PG102": {"enabled": False}, "PG101": {"severity": "medium"}}}),
    ("orders is excluded", {"exclusions": [{"functions": ["orders"], "reason": "Not ours."}]}),
]


def _request(random: Random) -> tuple[str, Action]:
    kind, position = random.choice(("suppress", "unsuppress", "recheck")), random.random()

    def act(world: World) -> None:
        findings = [one for one in findings_in(world) if one.status is not Status.RESOLVED]
        if not findings:
            return
        finding = findings[int(position * len(findings))]
        request = {
            "kind": kind,
            "nonce": f"{world.calls:032x}",
            "finding_id": finding.id,
            "target_arn": finding.target_arn,
            "until": _in(world, _SUPPRESSED_FOR),
            "reason": "We know.",
        }
        if kind == "recheck":
            request["target_arn"] = finding.functions[0] if finding.role_arn else finding.function_arn
        world.invoke_asynchronously("manage_findings", request, f"a person requests: {kind} {finding.rule_id}", 0)

    return f"a person requests: {kind} a finding", act


def _decision(random: Random) -> tuple[str, Action]:
    kind = random.choice(("approve", "approve", "reject"))

    def act(world: World) -> None:
        for finding in findings_in(world):
            fix = finding.fix
            if finding.status is Status.OPEN and fix and fix.result is FixResult.PROPOSED and fix.approve:
                request = {
                    "kind": kind,
                    "nonce": f"{world.calls:032x}",
                    "finding_id": finding.id,
                    "function_arn": finding.function_arn,
                    "revision": finding.revision,
                    "plan_hash": fix.plan_hash,
                }
                world.invoke_asynchronously("decide_fix", request, f"a person decides: {kind} {finding.rule_id}", 0)

    return f"a person decides: {kind} every proposal", act


def maintain(world: World) -> None:
    """Start maintenance, as its schedule does."""
    world.invoke_asynchronously("maintain_findings", {}, "maintain_findings")


def _maintenance(_random: Random) -> tuple[str, Action]:
    return "maintenance starts", maintain


_KINDS: Final = (
    *(_permission, _permission, _no_permission),
    *(_mapping, _mapping, _mapping, _no_mapping),
    *(_role, _role, _role, _role),
    *(_function, _function, _delete, _other_role),
    *(_sweep, _configuration, _request, _decision, _maintenance),
)


def findings_in(world: World) -> list[Finding]:
    """Return every finding of the table."""
    items = world.tables.items["FindingsTable"].values()
    documents = (item["document"]["S"] for item in items if item["sk"]["S"].startswith("FINDING#"))
    return [Finding.from_document(json.loads(document)) for document in documents]


def _of(world: World, name: str, change: Callable[[str], None]) -> None:
    if name in world.account.functions:
        change(name)


def _in(world: World, span: timedelta) -> str:
    return (datetime.fromtimestamp(world.now, UTC) + span).replace(microsecond=0).isoformat()


__all__ = ["NAMES", "PERSON", "Step", "findings_in", "function_arn", "maintain", "steps_of", "sweep"]
