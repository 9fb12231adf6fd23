"""Templates with a wrong value at any place are evaluated, unknown, or rejected with a message: no rule crashes."""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.errors import InputError
from permission_guard.iam import TrustSet
from permission_guard.offline.deployment import GivenPlace
from permission_guard.offline.documents import contents
from permission_guard.offline.scenarios import evaluate_check
from permission_guard.rules import RULES
from tests.unit.cli import test_check_functions as functions
from tests.unit.cli import test_check_triggers as triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[Any, ...]

VALUES: list[Any] = [
    *(None, 3, True, "", "*", [], {}, ["a", {"Ref": "P"}], {"a": {"b": "c"}}, "{{resolve:ssm:/x}}"),
    *(
        {"Ref": "Nope"},
        {"Ref": ""},
        {"Ref": "P"},
        {"Ref": "S"},
        {"Ref": {"Ref": "P"}},
        {"Fn::GetAtt": ["Orders", "Arn"]},
    ),
    *({"Fn::GetAtt": ["Orders", {"Ref": "P"}]}, {"Fn::GetAtt": ["Role", 1]}, {"Fn::Sub": "${P}-x"}, "${P}"),
    *({"Fn::Select": [0, {"Ref": "P"}]}, {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]}, {"Fn::ImportValue": "q"}),
    *({"Fn::FindInMap": ["M", {"Ref": "P"}, "k"]}, "arn:aws:lambda:us-east-1:123456789012:function:x:live"),
]
SECTIONS = {
    "Parameters": {"P": {"Type": "String"}, "S": {"Type": "String", "AllowedValues": ["a", "b"]}},
    "Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "x"]}},
    "Mappings": {"M": {"a": {"k": "v"}, "b": {"k": "w"}}},
}
EVERYTHING = functions.template(
    {
        "Orders": functions.function(
            DeadLetterConfig={"TargetArn": functions.QUEUE},
            FileSystemConfigs=[{"Arn": {"Fn::GetAtt": ["Point", "Arn"]}}],
            VpcConfig=functions.VPC,
        ),
        "Point": {"Type": "AWS::EFS::AccessPoint", "Properties": {"FileSystemId": {"Ref": "Files"}}},
        "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {"FileSystemPolicy": {}}},
        "Role": functions.role(functions.SEND, functions.USE),
        "Queue": functions.KEYED,
        "Key": functions.KEY,
        **functions.invoke_config(DestinationConfig=functions.ON_FAILURE),
    }
)
BODIES = [EVERYTHING, *(triggers.template(resources, permit) for resources, permit in triggers.TRIGGERS.values())]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value inside a value."""
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*path, key))


def mutated(body: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
    """Return a template with one or two values replaced or removed."""
    found = {**copy.deepcopy(body), **copy.deepcopy(SECTIONS)}
    for _ in range(chosen.randint(1, 2)):
        *parents, last = chosen.choice([path for path in paths(found) if path[:1] == ("Resources",) and len(path) > 2])
        place: Any = found
        for key in parents:
            place = place[key]
        if isinstance(place, dict) and chosen.random() < 0.15:
            del place[last]
        else:
            place[last] = copy.deepcopy(chosen.choice(VALUES))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_value_makes_no_rule_crash(seed: int) -> None:
    """Every unknown outcome says what it depends on."""
    chosen = random.Random(seed)  # noqa: S311 - mutations are repeatable, not secret
    rules = [rule(TrustSet(frozenset())) for rule in RULES if rule.offline]
    for _ in range(60):
        body = mutated(chosen.choice(BODIES), chosen)
        try:
            found = contents(body, GivenPlace(), TrustSet(frozenset()), {})
        except InputError:
            continue
        for offline_check in found.offline_checks:
            for verdict in evaluate_check(offline_check, rules):
                assert "crashed" not in verdict.reason, (body, verdict)
                assert "depends on ," not in verdict.reason, (body, verdict)
