"""The findings of all rules on an account whose owner chose hostile names: every remedy keeps them as plain values.

The states are those of the failing cases, in which every name that callers of AWS choose becomes a hostile one.
"""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from botocore.session import get_session

from permission_guard.checks.engine import evaluate
from permission_guard.iam import Policy, parse_policy
from permission_guard.model.state import (
    DeniedCall,
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    FunctionUrl,
    Inventory,
    ResourcePolicy,
    Role,
    Snapshot,
    SourceState,
    Trigger,
    Unread,
)
from permission_guard.model.targets import FunctionTarget
from permission_guard.rules import RULES
from tests import hcl, shell
from tests.fakes import TARGET
from tests.rule_cases import PRINCIPALS, RULE_CASES, kind_of, snapshot_of, trust_of
from tests.unit.remedies.snippets import decided
from tests.unit.remedies.test_writers import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.model.verdicts import Verdict

START, END = "Xq7", "Xq8"
"""What surrounds a hostile text, so that a part of it is recognized."""

RECORDS = (
    DeniedCall,
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    FunctionTarget,
    FunctionUrl,
    Inventory,
    ResourcePolicy,
    Role,
    Snapshot,
    SourceState,
    Trigger,
)
# Written by AWS, or checked where they are read: these are no names that anyone chooses.
AS_THEY_ARE = {
    *("account", "region", "partition", "state", "state_transition_reason", "last_processing_result", "auth_type"),
    *("api", "at", "principal", "source_account", "kms_key_arn", "trust_policy", "boundary", "own_organization"),
}
FREE = {"name", "path", "qualifier", "uuid", "description", "tags", "message"}
NOT_A_NAME = re.compile(
    r"\*|\d{12}|o-\w+|.*:root|.*\*|arn:[\w-]+:iam::aws:.*|[\w.-]+\.(?:amazonaws|amazon)\.com(?:\.cn)?"
)
FUNCTION = re.compile(r"(arn:[\w-]+:lambda:[^:]*:\d*:function:)([^:*]+)(?::([^:*]+))?")
OPTIONS = {"--output", "--query", "--region"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclasses.dataclass(frozen=True)
class Owner:
    """Whoever chose the names of an account: each ends in a text, without what separates the parts of an ARN."""

    text: str
    names_functions: bool = True

    @property
    def suffix(self) -> str:
        """What each name ends in."""
        return f"{START}{re.sub('[:/]', '|', self.text)}{END}"

    def name(self, value: str) -> str:
        """Return a name that ends in the text; of an ARN the name in it."""
        if NOT_A_NAME.fullmatch(value):
            return value
        if not self.names_functions and (FUNCTION.fullmatch(value) or value == TARGET.name):
            return value
        if function := FUNCTION.fullmatch(value):
            head, name, qualifier = function.groups()
            is_free = qualifier not in (None, "$LATEST")
            return f"{head}{name}{self.suffix}" + (f":{qualifier}{self.suffix if is_free else ''}" if qualifier else "")
        return f"{value}{self.suffix}"

    def arns_in(self, value: Any) -> Any:
        """Return a JSON value in which every ARN and Sid has a hostile name."""
        if isinstance(value, dict):
            return {
                self.arns_in(key): self.name(item) if key == "Sid" else self.arns_in(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.arns_in(item) for item in value]
        return self.name(value) if isinstance(value, str) and value.startswith("arn:") else value

    def choose(self, value: Any, field: str = "") -> Any:  # noqa: PLR0911 - one return for each type
        """Return a part of a snapshot with hostile names."""
        if field == "name" and value in PRINCIPALS:
            return value  # the name of an inventory
        if isinstance(value, Unread) or (field in AS_THEY_ARE and not isinstance(value, Policy)):
            return value
        if isinstance(value, Policy):
            return parse_policy(self.arns_in(value.document), name=value.name)
        if isinstance(value, RECORDS):
            fields = dataclasses.fields(value)
            return dataclasses.replace(
                value, **{one.name: self.choose(getattr(value, one.name), one.name) for one in fields}
            )
        if isinstance(value, str):
            is_name = field in FREE or value.startswith("arn:")
            return f"{value}{self.suffix}/" if field == "path" else self.name(value) if is_name else value
        if isinstance(value, dict):
            if field == "configuration":
                return self.arns_in(value)
            keys = {key: self.name(key) if field == "inline" or key.startswith("arn:") else key for key in value}
            return {keys[key]: self.choose(item, "tags" if field == "tags" else "") for key, item in value.items()}
        if isinstance(value, tuple | frozenset):
            return type(value)(self.choose(item, field) for item in value)
        return value


@cache
def cases() -> list[tuple[Any, Snapshot]]:
    """Return the rule and the state of each failing case."""
    found = []
    for path in RULE_CASES:
        if kind_of(path) == "fail":
            case = json.loads(path.read_text())
            rule = next(rule for rule in RULES if rule.id == path.parent.name)
            found.append((rule(trust_of(case)), snapshot_of(case)))
    return found


def findings(owner: Owner) -> list[Verdict]:
    """Return the violations in the accounts of an owner. PG112 ignores a trigger of a function with an invalid name."""
    found: list[Verdict] = []
    for rule, state in cases():
        named = dataclasses.replace(owner, names_functions=rule.id != "PG112")
        found += evaluate(named.choose(state), [rule]).violations
    return found


def remedies(found: list[Verdict], kind: str) -> list[str]:
    """Return the texts of one kind, each once, and as they are after a decision."""
    of_kind = [one for verdict in found for one in verdict.remedies if one.kind == kind]
    return list(dict.fromkeys(text for one in of_kind for text in (decided(one) or [one.text])))


def is_whole(value: str, owner: Owner) -> bool:
    """Return whether a value has a hostile text only as a whole; a Sid that we choose has only plain characters."""
    return PLAIN.fullmatch(value) is not None or START not in value.replace(owner.suffix, "")


def strings(value: Any) -> list[str]:
    """Return all strings in a value, also those in JSON."""
    if isinstance(value, dict):
        return strings([*value, *value.values()])
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return strings(json.loads(value))
        except ValueError:
            return [value]
    return [value] if isinstance(value, str) else []


@cache
def members(service: str, operation: str) -> frozenset[str]:
    """Return the options that the AWS CLI has for an operation."""
    model = get_session().get_service_model(service)
    names = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    assert shape is not None
    words = {re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower() for name in shape.members}
    return frozenset(f"--{word}" for word in words) | OPTIONS


def values_of(call: list[str]) -> list[str]:
    """Return the values of the options of a call; anything else in it fails."""
    if call[0] == "python3":
        assert call[1:3] == ["-I", "-c"]
        assert len(call) == 7
        return call[4:]
    if call[0] == "sleep":
        assert call == ["sleep", "10"]
        return []
    assert call[0] == "aws", call
    service, operation, words = call[1], call[2], call[3:]
    if operation == "wait":
        operation, words = "get-role", words[1:]
    known, found = members(service, operation), []
    assert words, call
    assert words[0].startswith("--"), call
    for word in words:
        if word.startswith("-"):
            option, _, value = word.partition("=")
            assert option in known or word == "--enabled", call
            found.append(value)
        elif query := re.fullmatch(r"Functions\[\?Role==`(.*)`\]\.FunctionName", word):
            found.append(json.loads(query[1]))
        else:
            found.append(word)
    return found


def values_of_commands(found: list[Verdict], folder: Path) -> list[str]:
    """Run all commands in bash, and return the values of their options."""
    commands = remedies(found, "aws-cli")
    assert len(commands) > 100
    calls = shell.record("\n".join(commands), folder)
    assert len(calls) >= len(commands)
    return [value for call in calls for value in strings(values_of(call))]


def values_of_calls(found: list[Verdict]) -> list[str]:
    """Read the calls of the AWS CDK, and return their strings: nothing else in them is a hostile text."""
    calls = remedies(found, "cdk")
    assert len(calls) > 20
    values: list[str] = []
    for text in calls:
        code = "\n".join(line for line in text.split("\n") if not line.startswith("//"))
        assert START not in _STRING.sub("", code), text
        assert code.isascii()
        assert all(line.isprintable() for line in text.split("\n"))
        values += map(json.loads, _STRING.findall(code))
    return values


def values_of_files(found: list[Verdict]) -> list[str]:
    """Read all other remedies, and return their values."""
    terraform, templates = remedies(found, "terraform"), remedies(found, "sam")
    assert len(terraform) > 50
    assert len(templates) > 20
    values = [value for text in terraform for _, _, arguments in hcl.blocks(text) for value in strings(arguments)]
    for resource in (resource for text in templates for resource in yaml.safe_load_all(text) if resource):
        assert list(resource) == ["Type", "Properties"]
        assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in resource["Properties"])
        values += strings(resource["Properties"])
    for text in remedies(found, "policy-statement"):
        values += strings(json.loads(text))
    return values


@pytest.mark.parametrize("text", HOSTILE[::2])
def test_every_remedy_has_hostile_names_only_as_values(text: str, tmp_path: Path) -> None:
    """Bash, Terraform, YAML and TypeScript read each as a whole, and run and evaluate nothing else."""
    owner = Owner(text)
    found = findings(owner)
    for values, fewest in (
        (values_of_commands(found, tmp_path), 100),
        (values_of_files(found), 100),
        (values_of_calls(found), 15),
    ):
        assert [value for value in values if not is_whole(value, owner)] == []
        assert sum(owner.suffix in value for value in values) > fewest


@pytest.mark.parametrize("text", ["'", '"', "`", "$(", "\\", "\n'"])
def test_no_command_has_an_open_quotation(text: str) -> None:
    """Each is parsed by itself, so that no quotation mark of one command closes another's."""
    assert [command for command in remedies(findings(Owner(text)), "aws-cli") if not shell.is_valid(command)] == []


def test_every_rule_has_findings_with_hostile_names() -> None:
    """Otherwise a rule's remedies would not be tested."""
    found = findings(Owner("$(id)"))
    assert {verdict.rule_id for verdict in found} == {rule.id for rule in RULES}
    named = {verdict.rule_id for verdict in found if any(START in one.text for one in verdict.remedies)}
    assert named == {rule.id for rule in RULES}
