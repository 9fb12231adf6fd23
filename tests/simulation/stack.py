"""The stack as the template deploys it: its queues, its functions and what starts them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import ACCOUNT, REGION
from tests.in_memory.events import Rule
from tests.owned_policies import PREFIX, TAG, owned_documents
from tests.paths import REPOSITORY
from tests.simulation.ticket_systems import OPS_ITEM
from tests.template.sam_template import EVERYTHING, Template, referred

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS: Final = {
    **EVERYTHING,
    "AutoFix": "restore",
    "FixResourceTag": TAG,
    "FixNamePrefix": PREFIX,
    "AtomicNarrowing": "false",
    "InvokeEventsLogGroupArn": "",
}
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:AlertTopic.fifo"
"""A FIFO topic, so that each message says which revision of which finding it is about."""
FIXES_AN_HOUR: Final = (1, 3)
"""The limits of fixes in the seeds: the least, so that some of them reach it, and one that leaves a fix to its undo."""
_LOGICAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """A queue. `dead_letters` is the name of its dead-letter queue, empty for none."""

    name: str
    visibility_timeout: float
    dead_letters: str
    max_receive_count: int


@dataclass(frozen=True, slots=True)
class Poller:
    """An event source mapping from a queue to a function."""

    queue: str
    function: str
    batch_size: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Stack:
    """What is deployed. `tables` are the properties of each table, `environments` and `timeouts` are by function."""

    queues: tuple[QueueSettings, ...]
    pollers: tuple[Poller, ...]
    rules: tuple[Rule, ...]
    tables: Mapping[str, Mapping[str, Any]]
    environments: Mapping[str, Mapping[str, str]]
    timeouts: Mapping[str, float]
    stream_batch: int
    ticket_systems: tuple[str, ...] = OPS_ITEM


@cache
def deployed(fix_mode: str, fixes_an_hour: int, ticket_systems: tuple[str, ...] = OPS_ITEM) -> Stack:
    """Return the stack with everything enabled, a limit of fixes, and some ticket systems: its own one first."""
    stack = _stack(fix_mode)
    limited = {**stack.environments["apply_fix"], "MAX_FIXES_AN_HOUR": str(fixes_an_hour)}
    imports = str("securityhub" in ticket_systems[1:]).lower()
    own = {"TICKET_SYSTEM": ticket_systems[0], "IMPORT_TO_SECURITY_HUB": imports}
    opening = {**stack.environments["open_ticket"], **own}
    environments = {**stack.environments, "apply_fix": limited, "open_ticket": opening}
    return replace(stack, environments=environments, ticket_systems=ticket_systems)


@cache
def _stack(fix_mode: str) -> Stack:
    template = Template(REPOSITORY / "template.yaml", **{**PARAMETERS, "FixMode": fix_mode})
    functions = template.functions
    names = {logical: _name(logical) for logical in functions}
    timeout = float(template.raw["Globals"]["Function"]["Timeout"])
    streams = [one for one in _sources(functions) if one[1]["Type"] == "DynamoDB"]
    environments = {
        names[logical]: {key: _value(key, value) for key, value in template.environment_of(logical).items()}
        for logical in functions
    }
    environments["apply_fix"]["OWNED_POLICY_ARNS"] = ",".join(owned_documents(TAG, PREFIX, fix_mode))
    return Stack(
        tuple(_queue(name, properties) for name, properties in template.of_type("AWS::SQS::Queue").items()),
        tuple(
            Poller(
                referred(one["Properties"]["Queue"]),
                names[logical],
                one["Properties"]["BatchSize"],
                one["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency", 2),
            )
            for logical, one in _sources(functions)
            if one["Type"] == "SQS"
        ),
        tuple(
            Rule(name, _bus(one), _pattern(one["EventPattern"]), {target["Id"]: _queue_arn(target)})
            for name, one in template.of_type("AWS::Events::Rule").items()
            if one.get("State", "ENABLED") == "ENABLED"
            for target in one["Targets"]
            if referred(target["Arn"]).endswith("Queue")
        ),
        template.of_type("AWS::DynamoDB::Table"),
        environments,
        {names[logical]: float(one.get("Timeout", timeout)) for logical, one in functions.items()},
        streams[0][1]["Properties"]["BatchSize"],
    )


def _sources(functions: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(logical, one) for logical, properties in functions.items() for one in properties["Events"].values()]


def _name(logical: str) -> str:
    return _LOGICAL.sub("_", logical.removesuffix("Function")).lower()


def _queue(name: str, properties: Mapping[str, Any]) -> QueueSettings:
    redrive = properties.get("RedrivePolicy")
    return QueueSettings(
        name,
        float(properties.get("VisibilityTimeout", 30)),
        referred(redrive["deadLetterTargetArn"]) if redrive else "",
        redrive["maxReceiveCount"] if redrive else 0,
    )


def _bus(rule: Mapping[str, Any]) -> str:
    return referred(rule["EventBusName"]) if "EventBusName" in rule else "default"


def _queue_arn(target: Mapping[str, Any]) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{referred(target['Arn'])}"


def _pattern(pattern: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**pattern, "account": [ACCOUNT]} if "account" in pattern else pattern


def _value(key: str, value: str) -> str:
    """Return a variable with the addresses of the simulation instead of the template's references."""
    if key.endswith("QUEUE_URL") and value:
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{value}"
    if key == "DEAD_LETTER_QUEUE_URLS":
        return ",".join(_value("QUEUE_URL", one) for one in value.split(","))
    return TOPIC if key == "TOPIC_ARN" else value
