"""EventBridge in memory: event buses, and rules that pass events to targets in AWS's envelope."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from permission_guard.model import limits
from tests.aws_limits import entry_size
from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service
from tests.in_memory.times import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.in_memory.service import Operations

    Event = Mapping[str, Any]

_ENTRIES = 10


@dataclass(slots=True)
class Rule:
    """A rule of a bus: its pattern, and the ARNs of its targets by their ids."""

    name: str
    bus: str
    pattern: Mapping[str, Any]
    targets: dict[str, str] = field(default_factory=dict)


class EventBuses(Service):
    """The event buses of an account.

    `deliver` gets each event that matches a rule, with the ARN of each target. `clock` returns seconds since 1970.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        account: str,
        region: str,
        deliver: Callable[[str, Event], None],
        rules: Iterable[Rule] = (),
    ) -> None:
        self._clock, self._account, self._region, self._deliver = clock, account, region, deliver
        self.rules: dict[str, dict[str, Rule]] = {"default": {}}
        for rule in rules:
            self.rules.setdefault(rule.bus, {})[rule.name] = rule
        self._events = 0

    def put(self, bus: str, event: Event) -> None:
        """Pass an event to the targets of each rule that it matches. A bus that does not exist has no rules."""
        for rule in self.rules.get(bus, {}).values():
            if matches(rule.pattern, event):
                for target in rule.targets.values():
                    self._deliver(target, event)

    def _create_bus(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["Name"] in self.rules:
            raise RejectedError("ResourceAlreadyExistsException", f"Event bus {params['Name']} already exists.")
        self.rules[params["Name"]] = {}
        return {"EventBusArn": f"arn:aws:events:{self._region}:{self._account}:event-bus/{params['Name']}"}

    def _put_rule(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, bus = params["Name"], params.get("EventBusName", "default")
        rules, pattern = self._rules(bus), json.loads(params["EventPattern"])
        rules[name] = Rule(name, bus, pattern, rules[name].targets if name in rules else {})
        path = name if bus == "default" else f"{bus}/{name}"
        return {"RuleArn": f"arn:aws:events:{self._region}:{self._account}:rule/{path}"}

    def _put_targets(self, params: Mapping[str, Any]) -> dict[str, Any]:
        rule = self._rules(params.get("EventBusName", "default")).get(params["Rule"])
        if rule is None:
            raise RejectedError("ResourceNotFoundException", f"Rule {params['Rule']} does not exist.")
        rule.targets |= {target["Id"]: target["Arn"] for target in params["Targets"]}
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def _put_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        entries = params["Entries"]
        if not 0 < len(entries) <= _ENTRIES or sum(map(entry_size, entries)) > limits.EVENT_ENTRY:
            raise RejectedError("ValidationException", "Total size of the entries in the request is over the limit.")
        results = [self._put_event(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put_event(self, entry: Mapping[str, Any]) -> dict[str, str]:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                text = f"Parameter {name} is not valid. Reason: {name} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": text}
        try:
            detail = json.loads(entry["Detail"], parse_constant=_no_constant)
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        self._events += 1
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"events/{self._events}"))
        event = {
            "version": "0",
            "id": number,
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": self._account,
            "time": timestamp(self._clock()),
            "region": self._region,
            "resources": list(entry.get("Resources", ())),
            "detail": detail,
        }
        self.put(entry.get("EventBusName", "default").rpartition("/")[2], event)
        return {"EventId": number}

    def _rules(self, bus: str) -> dict[str, Rule]:
        if bus not in self.rules:
            raise RejectedError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        return self.rules[bus]

    operations: ClassVar[Operations] = {
        "CreateEventBus": _create_bus,
        "PutEvents": _put_events,
        "PutRule": _put_rule,
        "PutTargets": _put_targets,
    }


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Return whether an event has, for each field of a pattern, one of its values: exact ones, and prefixes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
    """
    return isinstance(event, dict) and all(
        matches(wanted, event.get(name)) if isinstance(wanted, dict) else _is_one_of(wanted, event.get(name))
        for name, wanted in pattern.items()
    )


def _is_one_of(wanted: list[Any], found: Any) -> bool:
    """Return whether a field has one of some values; a list in an event, if one of its elements has."""
    values = found if isinstance(found, list) else [found]
    return any(_is(one, value) for one in wanted for value in values)


def _is(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(wanted == value)
    (operator, operand) = next(iter(wanted.items()))
    assert operator == "prefix", f"unknown operator {operator}"
    return isinstance(value, str) and value.startswith(operand)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
